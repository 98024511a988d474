# The sources of gcc and of the libraries it is built with, and what its recipes do alike.
{ fetchSource }:

rec {
  version = "14.2.0";

  source = fetchSource {
    name = "gcc";
    inherit version;
    urls = [ "mirror://debian/pool/main/g/gcc-14/gcc-14_${version}.orig.tar.gz" ];
    hash = "sha256:e162a5ef3f0077ecae598c6556908d2ab80841532df3398072a96a6df6e6aa29";
  };

  libraries = {
    gmp = fetchSource {
      name = "gmp";
      version = "6.3.0";
      # Debian's own archive: upstream's has other bytes.
      urls = [ "mirror://debian/pool/main/g/gmp/gmp_6.3.0+dfsg.orig.tar.xz" ];
      hash = "sha256:bd2966e6d277f79328e894a5a9f3ba3fbf2ed2be81def5f48623e30c23fb1572";
    };
    mpfr = fetchSource {
      name = "mpfr";
      version = "4.2.2";
      urls = [
        "mirror://debian/pool/main/m/mpfr4/mpfr4_4.2.2.orig.tar.xz"
        "https://ftp.gnu.org/gnu/mpfr/mpfr-4.2.2.tar.xz"
      ];
      hash = "sha256:b67ba0383ef7e8a8563734e2e889ef5ec3c3b898a01d00fa0a6869ad81c6ce01";
    };
    mpc = fetchSource {
      name = "mpc";
      version = "1.3.1";
      urls = [
        "mirror://debian/pool/main/m/mpclib3/mpclib3_1.3.1.orig.tar.gz"
        "https://ftp.gnu.org/gnu/mpc/mpc-1.3.1.tar.gz"
      ];
      hash = "sha256:ab642492f5cf882b74aa0cb730cd410a81edcdbec895183ce930e706c1c759b8";
    };
  };

  # The archive holds another one, which was repacked without manuals that the makefiles expect.
  unpack = ''
    tar xf gcc-${version}-dfsg.tar.xz --strip-components=1 --no-same-owner
    rm gcc-${version}-dfsg.tar.xz
    sed -i 's|^s-tm-texi: build/genhooks.*|s-tm-texi: ; touch $@\nunused-tm-texi: build/genhooks|' gcc/Makefile.in
    [[ ! -d gmp ]] || stub_makefile_in gmp/doc
    sed -i '/m64=/s/lib64/lib/' gcc/config/i386/t-linux64
    mkdir ../objects
  '';

  # Optimisation as usual, without the debugging information that would only be stripped.
  flags = "CFLAGS='-O2 -g0' CXXFLAGS='-O2 -g0' CFLAGS_FOR_TARGET='-O2 -g0' CXXFLAGS_FOR_TARGET='-O2 -g0'";

  configureFlags = [
    "--disable-bootstrap"
    "--disable-gcov"
    "--disable-libcc1"
    "--disable-libgomp"
    "--disable-libquadmath"
    "--disable-libsanitizer"
    "--disable-libssp"
    "--disable-libvtv"
    "--disable-lto"
    "--disable-multilib"
    "--disable-nls"
    "--disable-plugin"
    "--enable-default-pie"
    "--enable-default-ssp"
    "--enable-languages=c,c++"
    "--enable-threads=posix"
    "--with-native-system-header-dir=/usr/include"
    "--without-isl"
    "--without-zstd"
    "MAKEINFO=true"
  ];

  meta = {
    description = "Compilers for C and C++";
    homepage = "https://gcc.gnu.org/";
    licence = "GPL-3.0-or-later WITH GCC-exception-3.1";
  };
}
