builtins.match "a(" "x"
