{
  bash,
  fetchSource,
  libc,
  mkPackage,
}:

mkPackage rec {
  pname = "xz";
  version = "5.8.1";
  source = fetchSource {
    name = pname;
    inherit version;
    urls = [
      "mirror://debian/pool/main/x/xz-utils/xz-utils_${version}.orig.tar.xz"
      "https://github.com/tukaani-project/xz/releases/download/v${version}/xz-${version}.tar.xz"
    ];
    hash = "sha256:0b54f79df85912504de0b14aec7971e3f964491af1812d83447005807513cd9e";
  };

  style = "autotools";
  runtime = [
    bash
    libc
  ]; # xzgrep and its like are shell scripts

  verify = [
    "usr/bin/xz"
    "usr/include/lzma.h"
    "usr/lib/liblzma.so.5"
    "usr/lib/pkgconfig/liblzma.pc"
  ];

  meta = {
    description = "Compression in the xz and lzma formats";
    homepage = "https://tukaani.org/xz/";
    licence = "0BSD AND GPL-2.0-or-later AND LGPL-2.1-or-later";
  };
}
