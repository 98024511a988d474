# Lists that are joined of the same one begin in the same place, but are not the same.
let
  list = builtins.genList (x: x) 70 ++ [ 70 ];
  both = list: [ (builtins.length list) list (list ++ [ (builtins.add 1 1) ]) ];
  grown = builtins.foldl' (all: i: all ++ [ (builtins.length all + i) ]) [ ] (builtins.genList (x: x) 80);
in [ (both list) (map (n: builtins.elemAt grown n) [ 0 70 79 ]) (builtins.toJSON (both list)) ]
