{
  a = "text;
  b = "more";
  c = "yet more";
}
