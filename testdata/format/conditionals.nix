if aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa && bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb then
c else if d then { e = 1; f = 2; } else [ (if g then h else i) (if j then { k = 1; l = 2; } else m) ]
