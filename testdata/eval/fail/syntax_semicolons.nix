{
  a = 1
  b = [ 2 ]
  c.d = "x"
  "e" = { f = 3 };
  g = x: x
  inherit a
  inherit b;
  h = (1 + 2
  i = 4;
}
