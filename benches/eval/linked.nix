# A linked list of a million cells, walked twice; and one that is only found out while it is walked.
{ n }:
let
  inherit (builtins) foldl' genList seq;
  list = foldl' (tail: head: { inherit head tail; }) null (genList (i: i) n);
  walk = foldl' (state: _: let sum = state.sum + state.cell.head; in seq sum { inherit sum; cell = state.cell.tail; });
  steps = genList (i: i) n;
  from = i: { head = i; tail = from (i + 1); };
in [
  (walk { sum = 0; cell = list; } steps).sum
  (walk { sum = 1; cell = list; } steps).sum
  (walk { sum = 0; cell = from 0; } steps).sum
]
