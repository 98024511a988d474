let inherit (builtins) attrNames attrValues mapAttrs removeAttrs intersectAttrs listToAttrs catAttrs zipAttrsWith hasAttr getAttr functionArgs; n = "dyn"; s = { a.b.c = 1; }; in
[
  { } { a = 1; } { b = 1; a = 2; } { a.b = 1; a.c = 2; } { a = { b = 1; }; a.c = 2; } { "x y" = 1; "if" = 2; "1" = 3; a-b = 4; "a'" = 5; }
  { ${n} = 1; } { "${n}x" = 2; ${null} = 3; } (rec { a = b + 1; b = 2; }) (rec { x = 1; y = { inherit x; }; }) ({ a = 1; } // { b = 2; } // { a = 3; })
  s.a.b.c (s.a.b.d or 7) (s.x.y.z or 8) (s ? a.b) (s ? a.x) (s ? x.y) (s ? a.b.c.d) (s.${"a"}.b.c) (s."a".b.c) ({ a = 1; }.a or 2)
  (attrNames { z = 1; a = 2; m = 3; }) (attrValues { z = 1; a = 2; m = 3; }) (mapAttrs (k: v: k + toString v) { a = 1; b = 2; })
  (removeAttrs { a = 1; b = 2; } [ "a" "c" ]) (intersectAttrs { a = 1; b = 2; } { b = 3; c = 4; }) (listToAttrs [ { name = "a"; value = 1; } { name = "a"; value = 2; } { name = "b"; value = 3; } ])
  (catAttrs "a" [ { a = 1; } { b = 2; } { a = 3; } ]) (zipAttrsWith (k: vs: [ k vs ]) [ { a = 1; b = 2; } { a = 3; } ]) (hasAttr "a" { a = 1; }) (getAttr "a" { a = 1; })
  (functionArgs ({ a, b ? 2, ... }: 1)) (functionArgs (x: x)) (let inherit (s.a) b; in b) ({ inherit (s) a; inherit n; }) ({ inherit ({ x = 1; y = 2; }) x y; })
  (let { a = 1; body = a + 1; }) (rec { a = 1; inherit (rec { b = 5; }) b; c = a + b; }) (with { a = 1; b = 2; }; a + b) (with { a = 1; }; with { a = 2; }; a) (let a = 3; in with { a = 4; }; a)
  ({ __functor = self: x: self.k + x; k = 10; } 5) ((x: y: z: x + y + z) 1 2 3) (({ a, b ? a * 2 }@args: [ a b (args ? b) ]) { a = 1; }) ((args@{ a, ... }: args) { a = 1; c = 2; })
  (rec { a.x = 1; b = a.x; }) { a = { }; a.b.c = 1; a.b.d = 2; } ({ x.y = rec { z = 1; w = z; }; }.x.y.w) (rec { "a" = 1; b = a; "${"c"}" = 2; }) (builtins.foldl' (a: k: a // { ${k} = 1; }) { } (builtins.genList (i: "k${toString i}") 30))
  ({ a = 1; or = 2; }.or) (let or = 1; in { inherit or; }) (rec { __overrides = { a = 2; }; a = 1; b = a; })
]
