# Trees of the seed in which what Python runs names the seed's own Python (python3.11) and not just python3: a tree of recipes
# may have a Python of its own, which has that name then and looks elsewhere for modules. As one tree.
{ compose, system }:
seed: trees:

let
  programs = derivation {
    name = "python-programs";
    inherit system trees;
    builder = "/usr/bin/bash";
    args = [
      "-euo"
      "pipefail"
      "${./own-python.sh}"
    ];
    root = [ seed ];
    runtime = [ seed ] ++ trees;
  };
in
compose {
  name = "python-tools";
  root = trees ++ [ programs ];
  override = [ programs ];
}
