# A tree from text: `entries` maps a path to `{ text; executable ? false; }`, `{ symlink; }` or `{ directory = true; }`.
{ check, system }:

let
  build =
    { name, entries }:
    derivation {
      inherit name system;
      builder = "builtin:write";
      entries = builtins.toJSON entries;
    };
in
check "write" build
