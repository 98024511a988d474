let inner = x: x.missing; middle = x: inner x + 1; outer = x: middle x + 1; in outer { present = 1; }
