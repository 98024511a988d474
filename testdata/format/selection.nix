{
  a = b.c.d; e = f.g or { h = 1; }; i = (j k).l; m = { n = 1; o = 2; }.n; p = q."r s".${t};
  u = f.a { b = 1; c = 2; }; v = (f x) y;
}
