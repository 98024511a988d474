(derivation { name = "x"; system = "s"; builder = "/b"; buildInputs = [ (x: x) ]; }).outPath
