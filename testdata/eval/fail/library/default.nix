# A library: what goes wrong in here is shown at the user's own line.
rec {
  concat = separator: list: builtins.concatStringsSep separator list;
  named = list: map (item: item.name) list;
  callWith = given: f: f given;
  at = path: set: if path == [ ] then set else at (builtins.tail path) set.${builtins.head path};
  positive = number: assert number > 0; number;
  check = version: if version == null then throw "a version is needed" else version;
  fix = f: let x = f x; in x;
}
