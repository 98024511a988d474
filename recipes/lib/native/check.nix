# The compiler that a set has for the system it makes: what it compiles runs, in a root that has nothing of the seed.
{
  busybox,
  compiler,
  filesystem,
  lib,
  libc,
  system,
  zlib,
}:

let
  # What a compiler works with wins over busybox's programs of the same names.
  own = lib.closure [ compiler ];
in
derivation {
  name = "check-native";
  inherit system;
  builder = "/usr/bin/sh";
  args = [ "${./check.sh}" ];
  root =
    own
    ++ lib.closure [
      busybox
      filesystem
      libc
    ];
  override = own;
  programs =
    if compiler.pname == "gcc" then "minigzip minigzip-static words words-static" else "minigzip";
  source = lib.unpack {
    name = "zlib-source";
    src = zlib.source;
    stripComponents = 1;
  };
  words = "${./words.cc}";
}
