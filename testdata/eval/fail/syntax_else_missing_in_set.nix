{
  a = if x then y;
  b = if x then y else;
  c = if then y else z;
}
