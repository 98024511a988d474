# larder only: as Nix has it since versions that Debian does not ship
[ (builtins.toJSON 1.0) (builtins.tryEval (9223372036854775807 + 0)) (builtins.readFileType ./newer.nix) builtins.nixVersion builtins.langVersion builtins.storeDir (builtins ? fetchurl) (builtins ? getFlake) (builtins ? fetchTarball)
  ({ e = [ ]; }) (builtins.groupBy (x: x) [ "a" "b" "a" ]) builtins.currentSystem (builtins.getEnv "HOME") (builtins.warn "careful" 1) builtins.nixPath (builtins ? currentTime) ]
