# The compiler that a set has for the system it makes: what it compiles runs, in a root that has nothing of the seed.
{
  busybox,
  compiler,
  filesystem,
  lib,
  libc,
  stdenv,
  system,
  zlib,
}:

derivation {
  name = "check-native";
  inherit system;
  builder = "/usr/bin/sh";
  args = [ "${./check.sh}" ];
  root = lib.closure [
    busybox
    compiler
    filesystem
    libc
  ];
  programs = if stdenv.cxx then "minigzip minigzip-static words words-static" else "minigzip";
  source = lib.unpack {
    name = "zlib-source";
    src = zlib.source;
    stripComponents = 1;
  };
  words = "${./words.cc}";
}
