# The vocabulary of recipes. `words` are what a recipe can name as its arguments, besides packages.
{ system, seed }:

let
  inherit (import ./near-names.nix) didYouMean;
  check = import ./check-arguments.nix { inherit didYouMean; };
  closure = import ./closure.nix;
  shell = import ./shell.nix;
  write = import ./write.nix { inherit check system; };
  unpack = import ./unpack.nix { inherit check system; };
  compose = import ./compose.nix { inherit check system; };
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
  mkPackage = import ./mk-package.nix {
    inherit
      check
      closure
      didYouMean
      seed
      shell
      system
      unpack
      ;
  };

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
    inherit (debian) composeDebs unpackDeb usrMerge;
  };
in
words
// {
  inherit
    closure
    didYouMean
    pinsByName
    shell
    words
    ;
  callRecipe = import ./call-recipe.nix { inherit didYouMean; };
}
