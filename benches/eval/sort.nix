# Sorting: numbers with a comparison in the language and with the builtin one, and records by a field.
{ n }:
let
  next = x: (x * 1103515245 + 12345) - ((x * 1103515245 + 12345) / 2147483648) * 2147483648;
  numbers = builtins.genList (i: next (i * 7919 + 1)) n;
  records = map (key: { inherit key; name = "r${toString key}"; }) (builtins.genList (i: next (i * 104729 + 7)) (n / 10));
  sum = builtins.foldl' (a: b: a + b) 0;
in [
  (sum (builtins.sort (a: b: a < b) numbers))
  (builtins.elemAt (builtins.sort builtins.lessThan numbers) (n / 2))
  (builtins.head (builtins.sort (a: b: a.key < b.key) records)).name
  (builtins.elemAt (builtins.sort (a: b: a.name < b.name) records) (n / 20)).name
]
