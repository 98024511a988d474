let
  lib = import ./library;
in lib.callWith { pkgs = 1; lib = 2; } ({ pkg, lib }: lib)
