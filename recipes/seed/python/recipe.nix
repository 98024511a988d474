# Python with setuptools, pip and wheel: pinned Debian packages, for building with. Nothing of it may reach an image.
{ composeDebs, readPins }:

composeDebs {
  name = "python";
  pins = readPins ./pins.json;
  links = {
    python = "python3";
  };
}
// {
  pname = "python";
  meta = {
    description = "Python, and what builds its packages, from Debian";
    licence = "Python-2.0";
  };
}
