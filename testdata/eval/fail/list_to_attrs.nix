builtins.listToAttrs [ { name = "a"; value = 1; } { name = "b"; val = 2; } ]
