{
  a = ''
    text
  ;
  b = ''
    more
  '';
}
