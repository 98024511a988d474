let
  lib = { concatStrings = 1; optional = 2; };
  inherit (lib) optinal;
in optinal
