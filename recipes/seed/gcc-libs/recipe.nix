# The libraries that compiled C++ and Rust need at run time, beside the C library. It is a seed tree, like `libc`.
{ composeDebs, readPins }:

let
  inherit (readPins ../pins.json) libgcc-s1;
  inherit (readPins ../cxx/pins.json) "libstdc++6";
in
composeDebs {
  name = "gcc-libs";
  pins = {
    inherit libgcc-s1 "libstdc++6";
  };
}
// {
  pname = "gcc-libs";
  meta = {
    description = "Run-time libraries of GCC, from Debian";
    licence = "GPL-3.0-or-later WITH GCC-exception-3.1";
  };
}
