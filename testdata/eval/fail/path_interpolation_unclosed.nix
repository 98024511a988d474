{
  src = ./files/${name;
}
