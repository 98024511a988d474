let
  infinite = { next = infinite; value = 1; }; list = [ 1 (throw "never") 3 ]; fibs = n: if n < 2 then n else fibs (n - 1) + fibs (n - 2);
  count = { n }: { head = n; tail = count { n = n + 1; }; }; x = [ y ]; y = 5;
in [
  infinite.next.next.value (builtins.length list) (builtins.elemAt list 2) (fibs 15) (count { n = 0; }).tail.tail.head ({ a = throw "x"; b = 1; }).b x
  (builtins.tryEval (throw "x")) (builtins.tryEval (assert false; 1)) (builtins.tryEval 1) (builtins.tryEval [ (throw "inner") ]).success (builtins.seq 1 2) (builtins.deepSeq [ 1 { a = 2; } ] 3)
  (builtins.seq [ (throw "x") ] 1) (builtins.tryEval (builtins.deepSeq [ (throw "x") ] 1)) (builtins.attrNames { a = throw "x"; }) (let a = b; b = c; c = 3; in a)
  ((x: 1) (throw "unused")) (({ a, b ? throw "unused" }: a) { a = 1; }) (if builtins.isAttrs { a = throw "x"; } then 1 else 2) (builtins.hasAttr "a" { a = throw "x"; }) (map (x: 1) [ (throw "x") ]) (builtins.mapAttrs (n: v: n) { a = throw "x"; })
  (builtins.addErrorContext "ctx" 1) (builtins.trace "traced" 2) (with (throw "never used") // { }; 1) (let inherit (throw "x") a; in 1) (builtins.tryEval (builtins.tryEval (throw "x")))
]
