{
  a = with pkgs [ x ];
  b = assert true 1;
  c = with pkgs
    let x = 1; in x;
  d = f with x; y;
}
