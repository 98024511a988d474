# not strict
let a = 1; f = x: x; in { a = 1; b = a; c = f 1; d = [ 1 2 ]; g = { }; h = f; i = x: x; j = "s"; k = "${"x"}"; l = ./non_strict.nix == 1; m = -1; n = null; o = true; p = { q = 1; }; r = builtins.map; s = [ a (f 1) ]; }
