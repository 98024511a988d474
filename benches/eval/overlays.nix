# Fixed points: a package set extended by overlays, overridden attribute by attribute.
{ n }:
let
  fix = f: let x = f x; in x;
  extends = overlay: f: self: let super = f self; in super // overlay self super;
  base = self: builtins.listToAttrs (builtins.genList (i: {
    name = "p${toString i}";
    value = { name = "package-${toString i}"; deps = if i == 0 then [ ] else [ self."p${toString (i - 1)}" ]; size = i + (if i == 0 then 0 else self."p${toString (i / 2)}".size); };
  }) n);
  overlay = k: self: super: builtins.mapAttrs (name: value: value // { depth = (value.depth or 0) + k; tag = "${name}-${toString k}"; }) super;
  # The kind of overlay that there is most of: a few packages each.
  few = k: self: super: {
    "p${toString k}" = super."p${toString k}" // { size = self."p${toString (k / 2)}".size + k; };
    "extra${toString k}" = { name = "extra"; size = self.p7.size; depth = k; tag = "extra"; };
  };
  overlays = map overlay [ 1 2 3 4 5 6 7 8 ] ++ map few (builtins.genList (k: k + 100) 40);
  all = fix (builtins.foldl' (f: overlay: extends overlay f) base overlays);
in builtins.foldl' (sum: p: sum + p.size + p.depth + builtins.stringLength p.tag) 0 (builtins.attrValues all)
