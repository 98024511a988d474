{ a = foo; b = bar; }
