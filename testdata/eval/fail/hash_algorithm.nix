builtins.hashString "sha3" "text"
