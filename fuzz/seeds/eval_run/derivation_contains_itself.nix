let
  d = derivation { name = "x"; builder = "/b"; system = "s"; outputs = [ "out" "dev" ]; };
in builtins.deepSeq d [ d.out.out.out.outputName d.dev.out.dev.outputName (builtins.length d.dev.all) ]
