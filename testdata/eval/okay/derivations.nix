# larder only: store paths are larder's
let
  d = derivation { name = "hello-1"; system = "x"; builder = "/bin/sh"; args = [ "-c" "true" ]; outputs = [ "out" "dev" ]; };
  e = derivation { name = "e"; system = "x"; builder = "builtin:compose"; root = [ d d.dev ./derivations.nix ]; override = [ d ]; runtime = [ d ]; text = "${d.dev}/lib"; list = [ 1 d true ]; };
  f = derivation { name = "f.tar"; system = "x"; builder = "builtin:fetch"; urls = [ "http://a" ]; outputHash = "sha256:${builtins.hashString "sha256" ""}"; outputHashMode = "flat"; };
  s = derivation { name = "s"; system = "x"; builder = "/b"; __structuredAttrs = true; list = [ 1 { a = d; } ]; };
in [
  d.drvPath d.outPath d.dev.outPath d.dev.outputName d.outputName d.type (map (x: x.outputName) d.all) d.name (builtins.attrNames d) e.drvPath f.drvPath f.outPath s.drvPath
  (d == d) (d == d.out) (d.dev == d) (d.dev.out == d) (builtins.isString "${e}") (e.drvAttrs.name) (builtins.placeholder "dev") (d.dev.drvPath == d.drvPath) "${d}" (toString d)
]
