{ a = { bb.ccc = { dddd = 1; }; }; }.a.bb.ccc.ddd
