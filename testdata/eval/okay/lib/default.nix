{ default = true; sub = import ./value.nix; }
