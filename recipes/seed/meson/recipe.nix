# meson and pkg-config: pinned Debian packages, with a ninja that takes part in what all builds have together. For building
# with: nothing of it may reach an image.
{
  compose,
  composeDebs,
  ninja,
  readPins,
}:

compose {
  name = "meson";
  root = [
    (composeDebs {
      name = "meson-packages";
      pins = removeAttrs (readPins ./pins.json) [ "ninja-build" ];
      links = {
        python = "python3";
      };
    })
    ninja
  ];
}
// {
  pname = "meson";
  meta = {
    description = "Meson build system, from Debian";
    licence = "Apache-2.0";
  };
}
