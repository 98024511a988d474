# Compilers for C and C++ that run in the system and compile for it, made by the cross compiler; their libraries are shared.
{
  binutils,
  build-tools,
  gcc-parts,
  libc,
  linux-headers,
  mkPackage,
  stdenv,
}:

mkPackage {
  pname = "gcc";
  inherit (gcc-parts) source version meta;
  sources = gcc-parts.libraries;
  pending =
    if stdenv.cxx then
      null
    else
      "it is for the system, whose cross compiler makes it: `system.gcc`; `tcc` is smaller";

  style = "custom";
  tools = [ build-tools ];
  runtime = [
    binutils
    libc
    linux-headers
  ];
  # What is made runs in this build, so it makes its own libraries at once: of what is in /sysroot, as in the system of what is at /.
  configureFlags = gcc-parts.configureFlags ++ [
    "--build=${stdenv.triplet}"
    "--disable-analyzer"
    "--disable-c++-tools"
    "--disable-fixincludes"
    "--disable-libitm"
    "--disable-libstdcxx-pch"
    "--host=${stdenv.triplet}"
    "--libexecdir=/usr/lib"
    "--target=${stdenv.triplet}"
    "--with-build-sysroot=/sysroot"
  ];

  phases = {
    patch = gcc-parts.unpack;
    configure = ''
      cd ../objects
      ${gcc-parts.flags} ../source/configure --prefix=/usr "''${configure_flags[@]}"
    '';
    build = "run_make MAKEINFO=true";
    install = ''
      make install MAKEINFO=true DESTDIR="$out"
      ln -s gcc "$out/usr/bin/cc"
      # Manuals, and what would mend the headers of another C library.
      rm -rf "$out/usr/share" "$out"/usr/lib/gcc/*/*/install-tools
      # For a debugger written in Python.
      find "$out/usr/lib" -name '*-gdb.py' -delete
    '';
  };

  tests = {
    policy = "off";
    reason = "they need DejaGnu; `checks.native` compiles programs with it";
  };

  verify = [
    "usr/bin/c++"
    "usr/bin/cc"
    "usr/include/c++/${gcc-parts.version}/vector"
    "usr/lib/libgcc_s.so.1"
    "usr/lib/libstdc++.a"
    "usr/lib/libstdc++.so.6"
  ];
}
