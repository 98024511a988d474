# The C library, built by the compiler of the environment that it completes.
{
  mkPackage,
  musl-headers,
}:

mkPackage {
  pname = "musl";
  inherit (musl-headers) source version;

  style = "custom";

  phases = {
    configure = ''
      CFLAGS=-O2 ./configure --prefix=/usr --syslibdir=/lib --target=x86_64
    '';
    build = "run_make";
    check = null;
    install = ''
      make install DESTDIR="$out"
      # The loader is the library; the old places lead to /usr.
      rm -r "$out/lib"
      ln -s libc.so "$out/usr/lib/ld-musl-x86_64.so.1"
      mkdir -p "$out/usr/bin" "$out/usr/sbin"
      ln -s ../lib/libc.so "$out/usr/bin/ldd"
      for directory in bin lib sbin; do
          ln -s "usr/$directory" "$out/$directory"
      done
      ln -s usr/lib "$out/lib64"
    '';
  };

  verify = [
    "usr/include/stdlib.h"
    "usr/lib/crt1.o"
    "usr/lib/ld-musl-x86_64.so.1"
    "usr/lib/libc.a"
    "usr/lib/libc.so"
  ];

  meta = {
    description = "C library of the system";
    homepage = "https://musl.libc.org/";
    licence = "MIT";
  };
}
