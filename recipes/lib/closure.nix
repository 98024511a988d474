# Packages and all that they need at run time, each once, in the order they are first reached.
packages:

let
  inherit (builtins) genericClosure unsafeDiscardStringContext;
  entry = package: {
    key = unsafeDiscardStringContext package.outPath;
    inherit package;
  };
  needs = node: map entry (node.package.runtime or [ ]);
in
map (node: node.package) (genericClosure {
  startSet = map entry packages;
  operator = needs;
})
