# larder only: nix-bin of Debian has no convertHash
let h = builtins.hashString "sha256" ""; c = hash: toHashFormat: builtins.convertHash { inherit hash toHashFormat; hashAlgo = "sha256"; }; in
[ (c h "nix32") (c h "base64") (c h "sri") (c (c h "sri") "base16") (c (c h "nix32") "base16" == h) (c "sha256:${h}" "base32") ]
