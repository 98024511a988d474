let
  set = { a = throw "a part"; };
  list = [ (throw "an element") ];
  function = x: x;
  cyclic = { self = cyclic; };
in
[
  (builtins.tryEval (set == set)).success
  (builtins.tryEval (list == list)).success
  (function == function)
  ([ function ] == [ function ])
  ({ f = function; } == { f = function; })
  (cyclic == cyclic)
]
