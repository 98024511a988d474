[
  (toString ./a) (toString ./a/b/../c) (toString ../okay/x) (toString /a/b) (toString (./. + "/x"))
  (toString (/a + "b")) (toString (/a + "/b")) (toString (/. + "a")) (builtins.typeOf ./a) (toString ./a/${"b"}/c) (toString ./${"a"})
  (toString /a/${"b"}.c) (builtins.baseNameOf ./x/y) (builtins.dirOf /a/b) (dirOf "a/b/c") (dirOf "/a") (dirOf "a") (baseNameOf "a/b/") (baseNameOf "/")
  (baseNameOf "") (toString (dirOf /a)) (/a/b == /a/c/../b) (builtins.pathExists ./paths.nix) (builtins.pathExists ./nothing) (builtins.pathExists "/")
  (builtins.toPath "/a/../b//c") (builtins.isPath ./a) (toString (/a + ./b) != "") (builtins.substring 0 2 (toString a/b) == "/")
  (toString /a/b-c_d+e.f) (toString (./a + ".nix")) [ (toString ./.) ] (builtins.stringLength (toString /foo))
]
