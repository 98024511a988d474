let
  base = builtins.listToAttrs (builtins.genList (i: { name = "attribute${toString i}"; value = i; }) 1000);
  step = set: i: set // { "attribute${toString (i * 7)}" = i; "new${toString i}" = set."attribute${toString (i - i / 1000 * 1000)}"; };
in builtins.length (builtins.attrNames (builtins.foldl' step base (builtins.genList (i: i) 2000)))
