{
  inherit a.b;
  inherit (x) y
  z = 1;
  inherit ${q};
  inherit c = 2;
  inherit
}
