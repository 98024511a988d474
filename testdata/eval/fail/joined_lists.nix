# What is forced deeply is all of the longer list, too.
let
  list = builtins.genList (x: x) 70 ++ [ 70 ];
  both = list: [ list (list ++ [ (throw "reached") ]) ];
in builtins.deepSeq (both list) 1
