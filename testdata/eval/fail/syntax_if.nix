{
  a = if true 1 else 2;
  b = if true then 1;
  c = if true then 1 2;
  d = if true { } else { };
  e = 1 + if true then 1 else 2;
  f = [ if true then 1 else 2 ];
  g = map x: x [ ];
}
