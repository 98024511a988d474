map (x: x) 5
