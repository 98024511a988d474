{
  a: 1;
  "b": 2;
  c == 3;
  d = e = 4;
  f = if a = 1 then 2 else 3;
  g = (b = 2);
  h 5;
  i;
}
