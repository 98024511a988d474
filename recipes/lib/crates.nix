# The crates that a Cargo.lock names, unpacked side by side as cargo wants a directory of vendored sources. Each is
# fetched by the checksum in the lock file, from `mirror://crates/NAME/NAME-VERSION.crate` or any mirror by content.
{
  compose,
  system,
  unpack,
  write,
}:

let
  inherit (builtins)
    filter
    fromTOML
    listToAttrs
    match
    readFile
    toJSON
    ;

  fetchCrate =
    crate:
    derivation {
      inherit system;
      name = "${crate.name}-${crate.version}.crate";
      builder = "builtin:fetch";
      urls = "mirror://crates/${crate.name}/${crate.name}-${crate.version}.crate";
      outputHash = "sha256:${crate.checksum}";
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
in
pname: lock:
let
  packages = (fromTOML (readFile lock)).package or [ ];
  crates = filter (crate: crate ? checksum) packages;
  foreign = filter (crate: match "git[+].*" (crate.source or "") != null) packages;
in
if foreign != [ ] then
  throw "${pname}: the lock file takes ${(builtins.head foreign).name} from git, which has no hash: use a release of it"
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
