{
  f = args@{ a, b: a;
  g = { a, b }@: a;
  h = { a, b } @ args a;
  i = { a }@{ b }: a;
}
