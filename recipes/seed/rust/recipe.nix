# rustc and cargo: pinned Debian packages, for building with. Nothing of it may reach an image.
{ composeDebs, readPins }:

composeDebs {
  name = "rust";
  pins = readPins ./pins.json;
}
// {
  pname = "rust";
  meta = {
    description = "Rust compiler and cargo, from Debian";
    licence = "MIT OR Apache-2.0";
  };
}
