let f = x: x; in map (x: x + 1) [ f 1 ]
