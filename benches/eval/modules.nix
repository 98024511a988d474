# What package sets do: functions over sets, overriding through fixed points, many small sets.
let
  fix = f: let x = f x; in x;
  extends = overlay: f: self: let super = f self; in super // overlay self super;
  base = self: builtins.listToAttrs (builtins.genList (i: {
    name = "p${toString i}";
    value = { name = "package-${toString i}"; deps = if i == 0 then [ ] else [ self."p${toString (i - 1)}" ]; size = i + (if i == 0 then 0 else self."p${toString (i / 2)}".size); };
  }) 5000);
  overlay = n: self: super: builtins.mapAttrs (name: value: value // { depth = (value.depth or 0) + n; tag = "${name}-${toString n}"; }) super;
  all = fix (builtins.foldl' (f: n: extends (overlay n) f) base [ 1 2 3 4 5 6 7 8 ]);
in builtins.foldl' (sum: p: sum + p.size + p.depth + builtins.stringLength p.tag) 0 (builtins.attrValues all)
