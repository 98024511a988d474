let
  lib = import ./library;
in {
  jobs = lib.positive (3 - 5);
}
