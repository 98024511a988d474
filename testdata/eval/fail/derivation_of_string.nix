builtins.derivation "hello"
