{
  a = 1,
  b = 2,
  inherit c, d;
  e = { f = 1, g = 2 };
}
