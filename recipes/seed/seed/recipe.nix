# The standard environment: the pinned Debian packages that compile C, as one tree, and the links that their maintainer
# scripts would have made. Users are the sandbox's to give. Nothing of the seed may reach an image.
{
  composeDebs,
  readPins,
  system,
}:

let
  # Link-time optimisation, sanitisers, and character sets that only other installations load: a third of the size.
  compiler = "usr/lib/gcc/x86_64-linux-gnu/12";
  unused = [
    "usr/bin/x86_64-linux-gnu-dwp"
    "usr/bin/x86_64-linux-gnu-lto-dump-12"
    "usr/lib/x86_64-linux-gnu/gconv"
    "usr/share/perl5"
  ]
  ++ map (file: "${compiler}/${file}") [
    "libasan.a"
    "libhwasan.a"
    "liblsan.a"
    "libtsan.a"
    "libubsan.a"
    "lto-wrapper"
    "lto1"
  ];
in
if system != "x86_64-linux" then
  throw "the seed is pinned for x86_64-linux only, not for ${system}"
else
  composeDebs {
    name = "seed";
    pins = readPins ../pins.json;
    exclude = unused;
    links = {
      awk = "mawk";
      cc = "gcc";
      sh = "dash";
    };
  }
