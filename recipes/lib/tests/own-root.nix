# A C program is compiled and run in a root that has nothing of the seed: shell, C library and compiler are our own outputs.
#
#     larder build recipes/lib/tests/own-root.nix
{
  system ? builtins.currentSystem or "x86_64-linux",
}:

let
  inherit ((import ../../. { inherit system; }).small)
    busybox
    filesystem
    lib
    libc
    tcc
    zlib
    ;
  source = lib.unpack {
    name = "zlib-source";
    src = zlib.source;
    stripComponents = 1;
  };
in
derivation {
  name = "check-own-root";
  inherit source system;
  builder = "/usr/bin/sh";
  args = [
    "-euc"
    ''
      cc -DHAVE_UNISTD_H -I "$source" -o minigzip "$source"/*.c "$source"/test/minigzip.c
      ./minigzip <"$source/deflate.c" >packed
      ./minigzip -d <packed >unpacked
      cmp "$source/deflate.c" unpacked
      gunzip <packed | cmp "$source/deflate.c" -
      test "$(wc -c <packed)" -lt "$(wc -c <unpacked)"
      mkdir "$out"
      echo "compiled with $(cc -v)" >"$out/report"
    ''
  ];
  root = [
    busybox
    filesystem
    libc
    tcc
  ];
}
