{
  a = 1 +;
  b = * 2;
  c = a && && b;
  d = !;
  e = a.b.;
  f = a..b;
  g = a ? ;
  h = 1 < 2 < 3;
  i = a or b c;
}
