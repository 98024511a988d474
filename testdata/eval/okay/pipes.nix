# larder only: pipe operators are newer; pipes
[ (1 |> (x: x + 1) |> (x: x * 2)) ((x: x + 1) <| (x: x * 2) <| 5) ([ 3 1 2 ] |> builtins.sort builtins.lessThan |> builtins.head) ]
