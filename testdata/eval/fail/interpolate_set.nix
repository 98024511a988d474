let cfg = { a = 1; b = 2; }; in "${cfg}"
