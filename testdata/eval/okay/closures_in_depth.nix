# larder only: deep values that exhaust the stack of others
let
  long = n: if n == 0 then null else { head = n; tail = long (n - 1); };
  count = n: acc: if n == 0 then acc else count (n - 1) (acc + 1);
in [
  (builtins.foldl' (a: b: a + b) 0 (builtins.genList (x: x) 1000000)) (builtins.seq (builtins.deepSeq (long 100000) 1) 2) (builtins.length (builtins.filter (x: x == 1) (builtins.genList (x: 1) 1000000)))
  (builtins.stringLength (builtins.concatStringsSep "" (builtins.genList (x: "ab") 100000))) (builtins.length (builtins.sort builtins.lessThan (builtins.genList (x: 1000 - x) 1000))) (count 100000 0)
]
