let stdEnv = 1; in stdenv
