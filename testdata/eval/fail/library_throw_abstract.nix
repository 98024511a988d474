let
  lib = import ./library;
  version = null;
in [ (lib.check version) ]
