# Debian binary packages as trees in the merged-/usr layout, without what only people read.
{
  check,
  compose,
  fetchDeb,
  unpack,
  write,
}:

let
  inherit (builtins)
    attrNames
    attrValues
    listToAttrs
    mapAttrs
    replaceStrings
    ;
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

  # Entries for `write`: the links that lead from the old places to /usr.
  usrMerge = mapAttrs (_: target: { symlink = target; }) moved;

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
in
{
  inherit unpackDeb usrMerge;

  # Pinned packages as one tree. `links` (path below usr/bin -> target) are those that their maintainer scripts make.
  composeDebs = check "composeDebs" (
    {
      name,
      pins,
      exclude ? [ ],
      links ? { },
    }:
    compose {
      inherit name;
      root = [
        (write {
          name = "${name}-links";
          entries =
            usrMerge
            // listToAttrs (
              map (link: {
                name = "usr/bin/${link}";
                value.symlink = links.${link};
              }) (attrNames links)
            );
        })
      ]
      ++ map (pin: unpackDeb { inherit pin exclude; }) (attrValues pins);
    }
  );
}
