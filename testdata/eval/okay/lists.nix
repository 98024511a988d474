let inherit (builtins) map filter foldl' genList sort all any elem elemAt head tail length concatLists concatMap partition groupBy genericClosure listToAttrs lessThan; in
[
  (map (x: x + 1) [ 1 2 3 ]) (filter (x: x > 1) [ 1 2 3 ]) (foldl' (a: b: a + b) 0 [ 1 2 3 ]) (foldl' (a: b: a ++ [ b ]) [ ] [ 1 2 ])
  (genList (x: x * x) 5) (genList (x: x) 0) (sort lessThan [ 3 1 2 ]) (sort (a: b: a > b) [ 3 1 2 ]) (sort (a: b: a.k < b.k) [ { k = 1; v = 1; } { k = 0; v = 2; } { k = 1; v = 3; } { k = 0; v = 4; } ])
  (all (x: x > 0) [ 1 2 ]) (any (x: x > 1) [ 1 2 ]) (all (x: false) [ ]) (any (x: true) [ ]) (elem 2 [ 1 2 ]) (elem 3 [ 1 2 ]) (elemAt [ 1 2 3 ] 1)
  (head [ 1 2 ]) (tail [ 1 2 3 ]) (length [ 1 2 ]) (length [ ]) (concatLists [ [ 1 ] [ ] [ 2 3 ] ]) (concatMap (x: [ x x ]) [ 1 2 ]) ([ 1 ] ++ [ 2 ] ++ [ ] ++ [ 3 ])
  (partition (x: x > 1) [ 1 2 3 ]) (groupBy (x: if x > 1 then "big" else "small") [ 1 2 3 ])
  (genericClosure { startSet = [ { key = 1; } ]; operator = { key }: if key < 20 then [ { key = key * 2; } { key = key + 5; } ] else [ ]; })
  (sort lessThan [ "b" "a" "c" ]) (sort lessThan [ 1.5 1 0.5 ]) (map (x: x) [ ]) (sort lessThan [ ]) (sort lessThan [ [ 2 ] [ 1 2 ] [ 1 ] ])
  (head (tail (map (x: x * 2) [ 1 2 ]))) (length [ (throw "lazy") ]) (builtins.isList [ ]) [ [ ] [ [ ] ] ] (elemAt (genList (n: n) 1000) 999)
]
