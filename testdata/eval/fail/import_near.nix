import ./throwx.nix
