# The tree in an archive: tar in the usual compressions, zip, or a Debian package's data.
# `exclude` are path prefixes; `rename` maps path prefixes to others; both are relative to the archive's root after
# `stripComponents` leading directories are gone.
{ check, system }:

let
  inherit (builtins) attrNames concatStringsSep;
  build =
    {
      name,
      src,
      stripComponents ? 0,
      exclude ? [ ],
      rename ? { },
    }:
    derivation {
      inherit name system src;
      builder = "builtin:unpack";
      stripComponents = toString stripComponents;
      exclude = concatStringsSep " " exclude;
      rename = concatStringsSep " " (map (from: "${from}=${rename.${from}}") (attrNames rename));
    };
in
check "unpack" build
