# Crates: sources of Rust libraries and programs, each fetched by its checksum, from `mirror://crates/NAME/NAME-VERSION.crate`,
# from where this machine's cargo takes them, or from a mirror by content.
{
  compose,
  system,
  unpack,
  write,
}:

let
  inherit (builtins)
    attrValues
    concatMap
    concatStringsSep
    filter
    fromTOML
    head
    listToAttrs
    match
    readFile
    toJSON
    ;

  fetchCrate =
    {
      name,
      version,
      checksum,
      ... # what else a lock file says of it
    }:
    derivation {
      inherit system;
      name = "${name}-${version}.crate";
      builder = "builtin:fetch";
      urls = concatStringsSep " " [
        "mirror://crates/${name}/${name}-${version}.crate"
        "mirror://cargo/${name}/${version}/download"
      ];
      outputHash = "sha256:${checksum}";
      outputHashMode = "flat";
    };

  # An archive of a crate has one directory, NAME-VERSION.
  unpackCrate =
    crate:
    unpack {
      name = "${crate.name}-${crate.version}";
      src = fetchCrate crate;
    };

  checksums =
    crates:
    listToAttrs (
      map (crate: {
        name = "${crate.name}-${crate.version}/.cargo-checksum.json";
        value.text = toJSON {
          files = { };
          package = crate.checksum;
        };
      }) crates
    );

  # What several lock files name is there once.
  once =
    crates:
    attrValues (
      listToAttrs (
        map (crate: {
          name = "${crate.name}-${crate.version}";
          value = crate;
        }) crates
      )
    );

  # The crates that lock files name, side by side as cargo wants a directory of vendored sources; `sources` are the files.
  vendor =
    pname: locks:
    let
      packages = concatMap (lock: (fromTOML (readFile lock)).package or [ ]) locks;
      crates = once (filter (crate: crate ? checksum) packages);
      foreign = filter (crate: match "git[+].*" (crate.source or "") != null) packages;
    in
    if foreign != [ ] then
      throw "${pname}: the lock file takes ${(head foreign).name} from git, which has no hash: use a release of it"
    else
      compose {
        name = "${pname}-crates";
        root = map unpackCrate crates ++ [
          (write {
            name = "${pname}-checksums";
            entries = checksums crates;
          })
        ];
      }
      // {
        sources = map fetchCrate crates;
      };
in
{
  inherit fetchCrate vendor;
}
