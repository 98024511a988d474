# One tree of many. Two trees that give a path different content are an error, unless its owner is in `override`.
{ check, system }:

let
  build =
    {
      name,
      root,
      override ? [ ],
      runtime ? [ ],
    }:
    derivation {
      inherit
        name
        system
        root
        override
        runtime
        ;
      builder = "builtin:compose";
    };
in
check "compose" build
