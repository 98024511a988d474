{
  if = 1;
  then.x = 2;
  a = b.in;
  inherit (c) let with;
  d = { else = 3; };
}
