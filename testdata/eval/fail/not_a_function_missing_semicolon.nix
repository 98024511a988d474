let
  a = "x"
  (b);
  b = 1;
in a
