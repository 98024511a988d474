let
  lib = import ./library;
in {
  names = lib.named [ { name = "a"; } { nmae = "b"; } ];
}
