# cmake and pkg-config: pinned Debian packages, for building with. Nothing of it may reach an image.
{ composeDebs, readPins }:

composeDebs {
  name = "cmake";
  pins = readPins ./pins.json;
}
// {
  pname = "cmake";
  meta = {
    description = "CMake build system, from Debian";
    licence = "BSD-3-Clause";
  };
}
