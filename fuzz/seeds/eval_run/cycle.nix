let a = { x = 1; }; l = [ 1 ]; r = { self = r; n = 1; }; e = { }; in [ a a l l r e e [ ] [ ] ]
