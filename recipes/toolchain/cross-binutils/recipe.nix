# Assembler and linker that run on the seed and make programs of the system.
{
  build-tools,
  fetchSource,
  libc,
  mkPackage,
  target,
}:

mkPackage rec {
  pname = "cross-binutils";
  version = "2.44";
  source = fetchSource {
    name = "binutils";
    inherit version;
    # Debian's own archive: upstream's has other bytes.
    urls = [ "mirror://debian/pool/main/b/binutils/binutils_${version}.orig.tar.xz" ];
    hash = "sha256:c41a0272424f41bb01bf828e7ffef1b2d59d1788064fd6b5f1d971717e9320b8";
  };

  style = "custom";
  tools = [ build-tools ];
  runtime = [ libc ];

  phases = {
    configure = ''
      mkdir ../objects
      cd ../objects
      CFLAGS='-O2 -g0' CXXFLAGS='-O2 -g0' ../source/configure --prefix=/cross --target=${target} \
          --with-sysroot=/sysroot --disable-nls --disable-werror --disable-gprofng --disable-gold --without-zstd \
          --enable-new-dtags --enable-default-hash-style=gnu --enable-deterministic-archives MAKEINFO=true
    '';
    build = "run_make MAKEINFO=true";
    check = null;
    install = ''
      make install MAKEINFO=true DESTDIR="$out"
      rm -r "$out/cross/share"
    '';
  };

  verify = [
    "cross/bin/${target}-as"
    "cross/bin/${target}-ld"
  ];

  meta = {
    description = "Assembler and linker for the system's programs";
    homepage = "https://www.gnu.org/software/binutils/";
    licence = "GPL-3.0-or-later";
  };
}
