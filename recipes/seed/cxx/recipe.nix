# C++, beside the C compiler of the seed: pinned Debian packages, for building with. Nothing of it may reach an image.
{ composeDebs, readPins }:

composeDebs {
  name = "cxx";
  pins = readPins ./pins.json;
  links = {
    "c++" = "g++";
    "g++" = "g++-12";
    "x86_64-linux-gnu-g++" = "x86_64-linux-gnu-g++-12";
  };
}
// {
  pname = "cxx";
  meta = {
    description = "GNU C++ compiler and its library, from Debian";
    licence = "GPL-3.0-or-later WITH GCC-exception-3.1";
  };
}
