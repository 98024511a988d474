1 /* comment
