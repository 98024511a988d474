{
  x = let y = 1; f y;
  z = let y = 1; in;
}
