import ./recursion_import.nix
