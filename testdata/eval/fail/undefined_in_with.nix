with { zlib = 1; }; zlob
