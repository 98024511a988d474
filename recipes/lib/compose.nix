# One tree of many. Two trees that give a path different content are an error, unless its owner is in `override`.
{ check, system }:

let
  build =
    {
      name,
      root,
      override ? [ ],
      runtime ? [ ],
      at ? "", # a path: the tree stands there instead of at the root
    }:
    derivation (
      {
        inherit
          name
          system
          root
          override
          runtime
          ;
        builder = "builtin:compose";
      }
      // (if at == "" then { } else { inherit at; })
    );
in
check "compose" build
