# Deep recursion that is not in tail position, many times.
{ n, times }:
let
  sum = n: if n == 0 then 0 else n + sum (n - 1);
  build = n: if n == 0 then [ ] else { inherit n; rest = build (n - 1); };
  depth = list: if list == [ ] then 0 else 1 + depth list.rest;
  even = n: if n == 0 then true else odd (n - 1);
  odd = n: if n == 0 then false else even (n - 1);
  repeat = f: builtins.foldl' (a: b: a + b) 0 (builtins.genList f times);
in [
  (repeat (i: sum (n / 2 - i)))
  (repeat (i: depth (build (n / 4 - i))))
  (repeat (i: if even (n - i) then 1 else 0))
]
