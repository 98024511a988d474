let
  lib = import ./library;
in {
  flags = lib.concat " " [ "-O" 2 ];
}
