# A comment
/* another
   one */
let
  a' = 1; b-c = 2; _d = 3; e.f."g h" = 4; "quoted" = 5; if' = 6;
  inherit ({ x = 7; }) x;
  inherit ({ }) ;
in [ a' b-c _d e.f."g h" quoted if' x (1+1)[2]{}"s" (a'.b or 2) (if true then 1 else if false then 2 else 3) (a' + b-c) [(1)(2)]
  (x: x.y or 1) (let in 1) ({ a, }: a) ({}: 1) ({ }@x: 1) (x@{ }: 1) (let f = x:x+1; in 2) (-1) (1 -1) (1-1) [ 1 (-1) ] (1 - - 1) (! ! true) (a' ? b || true)
  ([ 1 ] ++ [ 2 ] == [ 1 2 ]) ({ a = 1; } // { b = 2; } == { a = 1; b = 2; }) (1 + 2 == 3 && 4 < 5 || false -> true) (1 != 2) "a${"b${"c"}"}" (with { y = 1; }; y) (rec { }) # end
  (assert true; assert 1 == 1; 5) (/**/ 6) ({ a.${"b"}.c = 1; }.a.b.c) (__curPos.line) (__add 1 2) (builtins.__add or 9) (builtins.builtins.add 1 2) (__typeOf 1) (let builtins = 1; in builtins)
]
