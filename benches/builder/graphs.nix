# Graphs of trivial derivations: `shape` is one of the attributes of the last set, `n` its size.
# For Nix `root` is absent: its sandbox has a /bin/sh of its own.
{
  shape,
  n,
  root ? null,
  trees ? 0, # in the root of each build, beside `root`
}:
let
  roots =
    if root == null then
      { }
    else
      {
        root = [ "${root}" ] ++ builtins.genList tree trees;
      };
  tree =
    i:
    derivation {
      name = "tree-${number i}";
      system = "x86_64-linux";
      builder = "builtin:write";
      entries = builtins.toJSON { "share/${number i}/file".text = number i; };
    };
  make =
    name: inputs: text:
    derivation (
      {
        inherit name;
        system = "x86_64-linux";
        builder = "/bin/sh";
        # Inputs are read, so that they are there and nothing is cut off early.
        args = [
          "-c"
          "while read -r line; do :; done < ${inputs}; echo ${text} > $out"
        ];
      }
      // roots
    );
  number = toString;
  numbers = builtins.genList (i: i) n;
  first = make "first" "/dev/null" "first";
  # One that needs all the others.
  last =
    others:
    derivation (
      {
        name = "last";
        system = "x86_64-linux";
        builder = "/bin/sh";
        others = map number others;
        args = [
          "-c"
          "for other in $others; do read -r line < $other; done; echo $line > $out"
        ];
      }
      // roots
    );
in
{
  independent = last (map (i: make "independent-${number i}" "/dev/null" (number i)) numbers);
  chain = builtins.foldl' (before: i: make "chain-${number i}" before (number i)) first numbers;
  diamond = last (map (i: make "diamond-${number i}" first (number i)) numbers);
  # Layers of a hundred, each of which needs five of the layer before.
  graph =
    let
      hundred = builtins.genList (i: i) 100;
      layer =
        before: l:
        map (
          i:
          let
            five = map (k: builtins.elemAt before (wrap (i + k))) [
              0
              1
              3
              7
              15
            ];
          in
          make "node-${number l}-${number i}" (builtins.head five) (toString five)
        ) hundred;
      wrap = i: if i < 100 then i else i - 100;
    in
    last (
      builtins.foldl' layer (map (i: make "node-${number i}" "/dev/null" (number i)) hundred) (
        builtins.genList (l: l) (n / 100 - 1)
      )
    );
}
.${shape}
