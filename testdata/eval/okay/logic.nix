[
  (true && false) (true || (throw "x")) (false && (throw "x")) (false -> (throw "x")) (true -> false) (!true) (!false == true)
  (if true then 1 else throw "x") (true && true || false) (false -> false -> false) (1 == 1 && 2 != 3)
  (1 < 2 == true) ([ ] == [ ]) ({ } == { }) (null == null) (null == false) ("a" == "a") ("a" != "b") (!{ a = 1; } ? b)
  ({ a = 1; } ? a && true) ([ 1 2 ] == [ 1 2 ]) ([ 1 2 ] == [ 2 1 ]) ({ a = 1; b = 2; } == { b = 2; a = 1; })
  ({ a = 1; } == { a = 1; b = 2; }) ((x: x) == (x: x)) (let f = x: x; in f == f) (let f = x: x; in [ f ] == [ f ])
  (let s = { f = x: x; }; in s == s) (1 == "1") ([ 1 ] == 1)
  ("a" < "b") ("b" < "a") ("a" < "ab") ([ 1 2 ] < [ 1 3 ]) ([ 1 ] < [ 1 2 ]) ([ ] < [ 1 ]) ([ 2 ] < [ 1 5 ]) (./a < ./b)
]
