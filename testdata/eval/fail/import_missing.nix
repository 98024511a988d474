import ./mising.nix
