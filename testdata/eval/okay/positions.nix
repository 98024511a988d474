let s = { a = 1;
  bb.cc = 2; map = 1; }; pos = n: set: let p = builtins.unsafeGetAttrPos n set; in if p == null then null else { inherit (p) line column; file = baseNameOf p.file; };
in [ (pos "a" s) (pos "bb" s) (pos "cc" s.bb) (pos "map" s) (pos "x" s) { inherit (__curPos) line column; } (pos "a" (s // { z = 1; })) (pos "x" (builtins.listToAttrs [ { name = "x"; value = 1; } ])) (pos "q" (builtins.mapAttrs (n: v: v) { q = 1; })) ]
