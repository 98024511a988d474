# The smallest program that links against a package of the tree: zlib's own example of using zlib.
{
  libc,
  mkPackage,
  zlib,
}:

mkPackage {
  pname = "zpipe";
  inherit (zlib) source version;

  style = "custom";
  buildInputs = [ zlib ];
  runtime = [
    libc
    zlib
  ];

  phases = {
    build = "cc -O2 -o zpipe examples/zpipe.c -lz";
    check = ''
      ./zpipe <examples/zpipe.c >compressed
      ./zpipe -d <compressed | cmp - examples/zpipe.c
    '';
    install = ''install -D -m 755 zpipe "$out/usr/bin/zpipe"'';
  };

  verify = [ "usr/bin/zpipe" ];

  meta = {
    description = "Filter that compresses and decompresses with zlib";
    inherit (zlib.meta) homepage licence;
  };
}
