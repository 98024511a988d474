let
  inherit (pkgs) lib;
  pkgs = { lib = lib.extend { }; };
in lib
