{
  hosts = [
    { name = "a"; port = 80; }
    { name = "b"; port = 80 + "80"; }
  ];
}
