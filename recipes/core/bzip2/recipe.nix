{
  bash,
  fetchSource,
  libc,
  mkPackage,
}:

mkPackage rec {
  pname = "bzip2";
  version = "1.0.8";
  source = fetchSource {
    name = pname;
    inherit version;
    urls = [
      "mirror://debian/pool/main/b/bzip2/bzip2_${version}.orig.tar.gz"
      "https://sourceware.org/pub/bzip2/bzip2-${version}.tar.gz"
    ];
    hash = "sha256:ab5a03176ee106d3f0fa90e381da478ddae405918153cca248e682cd0c4a2269";
  };

  style = "make";
  runtime = [
    bash
    libc
  ]; # bzdiff and its like are shell scripts

  # The makefile knows neither DESTDIR nor the shared library, which has a makefile of its own for the same objects.
  phases = {
    build = ''
      run_make -f Makefile-libbz2_so
      rm *.o
      run_make CFLAGS="-O2 -D_FILE_OFFSET_BITS=64"
    '';
    check = "make check";
    install = ''
      make install PREFIX="$out/usr"
      install -m 755 libbz2.so.${version} "$out/usr/lib/"
      ln -s libbz2.so.${version} "$out/usr/lib/libbz2.so.1.0"
      ln -s libbz2.so.1.0 "$out/usr/lib/libbz2.so"
      # These links hold absolute paths of the build.
      for link in bzcmp bzegrep bzfgrep bzless; do
          ln -sf "$(basename "$(readlink "$out/usr/bin/$link")")" "$out/usr/bin/$link"
      done
      mkdir -p "$out/usr/share"
      mv "$out/usr/man" "$out/usr/share/man"
    '';
  };

  verify = [
    "usr/bin/bunzip2"
    "usr/bin/bzcat"
    "usr/bin/bzip2"
    "usr/include/bzlib.h"
    "usr/lib/libbz2.a"
    "usr/lib/libbz2.so"
    "usr/lib/libbz2.so.1.0"
  ];

  meta = {
    description = "Compression in the bzip2 format";
    homepage = "https://sourceware.org/bzip2/";
    licence = "bzip2-1.0.6";
  };
}
