rec { x = { y = x.y; }; }.x.y
