# The vocabulary of recipes. `words` are what a recipe can name as its arguments, besides packages.
#
# `stdenv` is the environment that packages are built in, one of `stdenvs/`.
{
  stdenv,
  system,
  tools, # packages to build with: the seed, cxx, autotools, …
}:

let
  inherit (import ./near-names.nix) didYouMean;
  check = import ./check-arguments.nix { inherit didYouMean; };
  closure = import ./closure.nix;
  shell = import ./shell.nix;
  write = import ./write.nix { inherit check system; };
  unpack = import ./unpack.nix { inherit check system; };
  compose = import ./compose.nix { inherit check system; };
  settle = import ./settle.nix { inherit compose; };
  inherit (import ./fetch.nix { inherit check system; }) fetchSource fetchDeb;
  inherit (import ./pin.nix { inherit check; }) pinsByName readPins;
  debian = import ./debian.nix {
    inherit
      check
      compose
      fetchDeb
      unpack
      write
      ;
  };
  crates = import ./crates.nix {
    inherit
      compose
      system
      unpack
      write
      ;
  };
  mkPackage = import ./mk-package.nix {
    styleTools = {
      cargo = [ tools.rust ];
      cmake = [ tools.cmake ];
      meson = [ tools.meson ];
      python = [ tools.python ];
    };
    inherit
      check
      closure
      compose
      didYouMean
      shell
      stdenv
      system
      unpack
      ;
    vendorCrates = pname: lock: crates.vendor pname ([ lock ] ++ libraryLocks);
  };
  # For an environment with a C library of its own, the standard library of Rust is compiled, too.
  libraryLocks = if stdenv.sysroot == null then [ ] else [ tools.rust.libraryLock ];

  words = {
    inherit
      compose
      fetchDeb
      fetchSource
      mkPackage
      readPins
      unpack
      write
      ;
    inherit (crates) fetchCrate;
    inherit (debian) composeDebs unpackDeb usrMerge;
  };
in
words
// {
  inherit
    check
    closure
    didYouMean
    pinsByName
    settle
    shell
    words
    ;
  # What several recipes of one program have in common, and words that are no functions.
  parts = {
    target = "x86_64-larder-linux-musl";
    gcc-parts = import ./gcc.nix { inherit fetchSource; };
    linux-parts = import ./linux.nix { inherit fetchSource; };
  };
  # Recipe trees of another distribution, as they are.
  intergenos = import ./intergenos {
    inherit
      check
      compose
      didYouMean
      settle
      shell
      system
      unpack
      ;
    environment = [
      tools.seed
      tools.cxx
      tools.autotools
      (import ./intergenos/own-python.nix { inherit compose system; } tools.seed [
        tools.python
        tools.meson
      ])
      tools.cmake
      tools.customary
    ];
  };
  callRecipe = import ./call-recipe.nix { inherit didYouMean; };
}
