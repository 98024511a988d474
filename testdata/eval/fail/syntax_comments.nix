// a comment
{
  // another
  a = 1; // and one more
}
