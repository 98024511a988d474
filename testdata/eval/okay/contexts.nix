# larder only: store paths are larder's
let
  d = derivation { name = "d"; system = "s"; builder = "/b"; outputs = [ "out" "dev" ]; };
  c = builtins.getContext "${d} ${d.dev}";
in [
  (builtins.hasContext "x") (builtins.hasContext "${d}") (builtins.attrNames (builtins.getContext "x")) (map (x: x.outputs) (builtins.attrValues c))
  (builtins.hasContext (builtins.unsafeDiscardStringContext "${d}")) (builtins.getContext d.drvPath == { ${builtins.unsafeDiscardStringContext d.drvPath} = { allOutputs = true; }; })
  (builtins.getContext (builtins.appendContext "x" c) == c) (builtins.substring 0 14 d.outPath) (builtins.hasContext (builtins.substring 0 0 "${d}")) (builtins.hasContext (builtins.toJSON { x = d; }))
  (builtins.hasContext (builtins.replaceStrings [ "x" ] [ "${d}" ] "axb")) (builtins.hasContext (builtins.concatStringsSep " " [ "a" d ])) (builtins.hasContext (toString [ d ]))
]
