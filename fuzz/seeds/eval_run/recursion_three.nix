rec {
  name = "${pname}-${version}";
  pname = "x";
  version = toString revision;
  revision = builtins.stringLength src;
  src = "./" + name;
}
