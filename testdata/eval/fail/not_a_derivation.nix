(derivation { name = "x"; system = "s"; builder = "/b"; inputs = [ { version = "1"; } ]; }).drvPath
