{
  fetchSource,
  libc,
  mkPackage,
}:

mkPackage rec {
  pname = "zstd";
  version = "1.5.7";
  source = fetchSource {
    name = pname;
    inherit version;
    # Debian's own archive: upstream's has other bytes.
    urls = [ "mirror://debian/pool/main/libz/libzstd/libzstd_${version}+dfsg.orig.tar.xz" ];
    hash = "sha256:0c092ef267edce57ba7f3f2645c861f72eaf5e76273c6c3632869423464b90a5";
  };

  style = "make";
  runtime = [ libc ];

  phases = {
    build = ''
      run_make -C lib lib PREFIX=/usr LIBDIR=/usr/lib
      run_make -C programs zstd HAVE_ZLIB=0 HAVE_LZMA=0 HAVE_LZ4=0
    '';
    install = ''
      make "''${make_flags[@]}" -C lib install PREFIX=/usr LIBDIR=/usr/lib DESTDIR="$out"
      install -D -m 755 programs/zstd "$out/usr/bin/zstd"
      ln -s zstd "$out/usr/bin/unzstd"
      ln -s zstd "$out/usr/bin/zstdcat"
    '';
  };

  tests = {
    policy = "off";
    reason = "they need python and take very long";
  };

  verify = [
    "usr/bin/zstd"
    "usr/include/zstd.h"
    "usr/lib/libzstd.so.1"
  ];

  meta = {
    description = "Compression in the zstd format";
    homepage = "https://facebook.github.io/zstd/";
    licence = "BSD-3-Clause OR GPL-2.0-only";
  };
}
