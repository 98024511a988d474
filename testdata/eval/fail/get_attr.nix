let arch = "x86-64"; in builtins.getAttr arch { x86_64 = 1; aarch64 = 2; }
