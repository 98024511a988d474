# What some builds need beside the seed: C++, and the languages and generators that build systems are written in.
{ composeDebs, readPins }:

composeDebs {
  name = "build-tools";
  pins = readPins ./pins.json;
  exclude = [
    "usr/lib/gcc/x86_64-linux-gnu/12/cc1objplus"
    "usr/lib/python3.11/test"
  ];
  links = {
    aclocal = "aclocal-1.16";
    automake = "automake-1.16";
    "c++" = "g++";
    yacc = "bison.yacc";
  };
}
