let
  lib = import ./lib/check.nix;
in {
  good = lib.mkPackage { name = "good"; version = "1"; };
  bad = lib.mkPackage { name = "B a d"; version = "1"; };
}
