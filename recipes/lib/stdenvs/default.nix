# Standard environments: what every build of a set of packages has. One is a value:
#
#   layers   trees at `/` of every build: shell, tools, compiler
#   sysroot  `null`: what a package is built with is composed at `/`; else the trees that are always in /sysroot, where
#            that goes then
#   libc     what everything built with it needs at run time
#   triplet  what the result runs on, as configure scripts say it
#   cxx      whether C++ is compiled for its C library without further tools
#   env      variables of every build
#   tested   whether packages run their tests
#
# `seed` is the quick one: all of it is Debian's. The others build for musl below /sysroot: `small` with the seed's
# compiler, so that nothing but musl has to be built first, `system` with our own cross compiler. What they build runs
# during builds, too: the loader is where programs look for it, and finds the libraries in /sysroot.
#
# `packages` are those of the seed environment; `call` calls a recipe in an environment.
{ call, packages }:

let
  inherit (packages) seed;
  target = "x86_64-larder-linux-musl";

  # Has no C library yet: that is what is built in it.
  bare = compiler: {
    layers = [
      seed
      packages.sysroot-loader
    ]
    ++ compiler;
    sysroot = [ ];
    libc = null;
    triplet = target;
    cxx = false;
    tested = false;
    env = {
      AR = "${target}-ar";
      CC = "${target}-gcc";
      CXX = "${target}-g++";
      NM = "${target}-nm";
      OBJCOPY = "${target}-objcopy";
      PATH = "/cross/bin:/usr/bin:/usr/sbin:/bin:/sbin";
      PKG_CONFIG_LIBDIR = "/sysroot/usr/lib/pkgconfig:/sysroot/usr/share/pkgconfig";
      PKG_CONFIG_SYSROOT_DIR = "/sysroot";
      RANLIB = "${target}-ranlib";
      STRIP = "${target}-strip";
    };
  };

  # With its C library: what programs are built in.
  withLibc =
    stdenv:
    let
      libc = call stdenv ./musl.nix;
    in
    stdenv
    // {
      inherit libc;
      sysroot = [
        libc
        packages.linux-headers
      ];
    };

  withC = withLibc (bare [
    packages.cross-binutils
    packages.cross-gcc
  ]);
in
{
  seed = {
    layers = [ seed ];
    sysroot = null;
    inherit (packages) libc;
    triplet = "x86_64-linux-gnu";
    cxx = false;
    tested = true;
    env = { };
  };

  small = withLibc (bare [ (call { } ./seed-compiler.nix) ]) // {
    tested = true;
  };

  system = withC // {
    layers = withC.layers ++ [ (call withC ./cross-libstdcxx.nix) ];
    cxx = true;
  };
}
