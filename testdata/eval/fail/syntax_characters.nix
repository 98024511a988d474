{
  a = 1 & 2;
  b = 'text';
  c = 5 % 3;
  d = “text”;
  e = `x`;
  f = a | b;
  g = \x;
}
