# Assembler, linker and what else handles object files, for the system that they are built for.
{
  build-tools,
  cross-binutils,
  libc,
  mkPackage,
  stdenv,
  zlib,
}:

mkPackage {
  pname = "binutils";
  inherit (cross-binutils) source version;
  pending = if stdenv.cxx then null else "it needs C++ for its C library: `system.binutils`";

  style = "custom";
  tools = [ build-tools ];
  buildInputs = [ zlib ];
  runtime = [
    libc
    zlib
  ];
  configureFlags = [
    "--disable-gprofng"
    "--disable-nls"
    "--disable-shared"
    "--disable-werror"
    "--enable-default-hash-style=gnu"
    "--enable-deterministic-archives"
    "--enable-new-dtags"
    "--with-lib-path=/usr/lib"
    "--with-system-zlib"
    "--without-debuginfod"
    "--without-zstd"
    "MAKEINFO=true"
  ];

  phases = {
    configure = ''
      mkdir ../objects
      cd ../objects
      CFLAGS='-O2 -g0' CXXFLAGS='-O2 -g0' ../source/configure --prefix=/usr --build=${stdenv.triplet} \
          --host=${stdenv.triplet} --target=${stdenv.triplet} "''${configure_flags[@]}"
    '';
    build = "run_make MAKEINFO=true";
    install = ''
      make install MAKEINFO=true DESTDIR="$out"
      # For who builds debuggers; its headers come without the library, which is not shared.
      rm -r "$out/usr/share" "$out/usr/include"
      find "$out/usr/lib" -name '*.a' -delete
    '';
  };

  tests = {
    policy = "off";
    reason = "they need DejaGnu";
  };

  verify = [
    "usr/bin/ar"
    "usr/bin/as"
    "usr/bin/ld"
    "usr/bin/objcopy"
    "usr/bin/strip"
  ];

  meta = {
    inherit (cross-binutils.meta) homepage licence;
    description = "Assembler, linker and other programs for object files";
  };
}
