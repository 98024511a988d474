{ fetchSource, libc, mkPackage }:

mkPackage rec {
  pname = "make";
  version = "4.4.1";
  source = fetchSource {
    name = pname;
    inherit version;
    urls = [ "mirror://debian/pool/main/m/make-dfsg/make-dfsg_${version}.orig.tar.xz" ];
    hash = "sha256:3b16b00ea1079af9f8096bbc71ff7cc00c249fc6a862003da3c42308a0adb0fe";
  };

  style = "autotools";
  runtime = [ libc ];

  verify = [
    "usr/bin/make"
    "usr/include/gnumake.h"
  ];

  meta = {
    description = "Builds what is out of date";
    homepage = "https://www.gnu.org/software/make/";
    licence = "GPL-3.0-or-later";
  };
}
