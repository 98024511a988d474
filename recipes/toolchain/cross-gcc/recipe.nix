# Compilers that run on the seed and make programs of the system; their C library is in /sysroot, their own is static.
{
  build-tools,
  cross-binutils,
  gcc-parts,
  libc,
  mkPackage,
  musl-headers,
  target,
}:

mkPackage {
  pname = "cross-gcc";
  inherit (gcc-parts) source version meta;
  sources = gcc-parts.libraries;

  style = "custom";
  tools = [
    build-tools
    cross-binutils
    musl-headers
  ];
  runtime = [ libc ];
  configureFlags = gcc-parts.configureFlags ++ [
    "--disable-libatomic"
    "--disable-libstdcxx"
    "--disable-shared"
  ];

  phases = {
    patch = gcc-parts.unpack;
    configure = ''
      cd ../objects
      PATH=/cross/bin:$PATH
      ${gcc-parts.flags} ../source/configure --prefix=/cross --target=${target} --with-sysroot=/sysroot \
          "''${configure_flags[@]}"
    '';
    build = "run_make MAKEINFO=true all-gcc all-target-libgcc";
    check = null;
    install = ''
      make MAKEINFO=true DESTDIR="$out" install-gcc install-target-libgcc
      rm -r "$out/cross/share"
      # What would mend the headers of another C library, with the shell of the seed.
      rm -r "$out"/cross/{lib,libexec}/gcc/${target}/${gcc-parts.version}/install-tools
    '';
  };

  verify = [
    "cross/bin/${target}-g++"
    "cross/bin/${target}-gcc"
    "cross/lib/gcc/${target}/${gcc-parts.version}/libgcc.a"
  ];
}
