# The C++ library of the cross compiler, static; it needs a C library, so it is built apart from the compiler.
{
  build-tools,
  gcc-parts,
  mkPackage,
  stdenv,
}:

mkPackage {
  pname = "cross-libstdcxx";
  inherit (gcc-parts) source version meta;

  style = "custom";
  tools = [ build-tools ];

  phases = {
    patch = gcc-parts.unpack;
    configure = ''
      ln -s gthr-posix.h libgcc/gthr-default.h
      cd ../objects
      CFLAGS='-O2 -g0' CXXFLAGS='-O2 -g0' ../source/libstdc++-v3/configure --prefix=/cross \
          --build=x86_64-pc-linux-gnu --host=${stdenv.triplet} --with-cross-host=x86_64-pc-linux-gnu \
          --disable-multilib --disable-nls --disable-shared --enable-static --disable-libstdcxx-pch \
          --disable-libstdcxx-verbose --with-gxx-include-dir=/cross/${stdenv.triplet}/include/c++/${gcc-parts.version}
    '';
    build = "run_make";
    check = null;
    install = ''make install DESTDIR="$out"'';
  };

  verify = [ "cross/${stdenv.triplet}/include/c++/${gcc-parts.version}/vector" ];
}
