{
  fetchSource,
  libc,
  mkPackage,
}:

mkPackage rec {
  pname = "zlib";
  version = "1.3.1";
  source = fetchSource {
    name = pname;
    inherit version;
    # Debian's own archive: upstream's has other bytes.
    urls = [ "mirror://debian/pool/main/z/zlib/zlib_1.3.dfsg+really${version}.orig.tar.gz" ];
    hash = "sha256:60dd315c07f616887caa029408308a018ace66e3d142726a97db164b3b8f69fb";
  };

  style = "autotools";
  runtime = [ libc ];

  # Its configure script is not autoconf's and refuses autoconf's usual options.
  phases.configure = "./configure --prefix=/usr --libdir=/usr/lib";

  verify = [
    "usr/include/zlib.h"
    "usr/lib/libz.a"
    "usr/lib/libz.so"
    "usr/lib/libz.so.1"
    "usr/lib/pkgconfig/zlib.pc"
  ];

  meta = {
    description = "Compression library for the deflate format";
    homepage = "https://zlib.net/";
    licence = "Zlib";
  };
}
