let
  next = x: (x * 1103515245 + 12345) - ((x * 1103515245 + 12345) / 2147483648) * 2147483648;
  numbers = builtins.genList (i: next (i * 7919 + 1)) 200000;
in builtins.foldl' (a: b: a + b) 0 (builtins.sort (a: b: a < b) numbers) + builtins.length (builtins.sort builtins.lessThan numbers)
