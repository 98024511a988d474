# Debian binary packages as trees in the merged-/usr layout, without what only people read.
{
  check,
  fetchDeb,
  unpack,
}:

let
  inherit (builtins) replaceStrings;
  unread = map (directory: "usr/share/${directory}") [
    "bug"
    "doc"
    "info"
    "lintian"
    "locale"
    "man"
  ];
  moved = {
    bin = "usr/bin";
    sbin = "usr/sbin";
    lib = "usr/lib";
    lib64 = "usr/lib64";
  };
  nameOf = pin: replaceStrings [ "~" ":" ] [ "-" "-" ] "${pin.name}-${pin.version}";
in
{
  # `exclude` is added to what is left out of every package.
  unpackDeb = check "unpackDeb" (
    {
      pin,
      exclude ? [ ],
    }:
    unpack {
      name = nameOf pin;
      src = fetchDeb pin;
      exclude = unread ++ exclude;
      rename = moved;
    }
  );

  # Entries for `write`: the links that lead from the old places to /usr.
  usrMerge = builtins.mapAttrs (_: target: { symlink = target; }) moved;
}
