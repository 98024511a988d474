# meson, ninja and pkg-config: pinned Debian packages, for building with. Nothing of it may reach an image.
{ composeDebs, readPins }:

composeDebs {
  name = "meson";
  pins = readPins ./pins.json;
  links = {
    python = "python3";
  };
}
// {
  pname = "meson";
  meta = {
    description = "Meson build system, from Debian";
    licence = "Apache-2.0";
  };
}
