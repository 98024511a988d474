rec {
  a.b.c=1; "d e".${f}=2; g={ h=1; };
  inherit a b; inherit (c) d e f; inherit
  g; inherit (h) i j k l;
  m = { inherit n; }; o = { }; p = {
  };


  q = [ ]; r=[ 1 ]; s = [ 1 2 ]; t = [ { u = 1; } ];
  v = with w; [ x y ]; z = with a; with b; c;
  aa = assert bb; cc; dd = let ee = 1; in ee;
}
