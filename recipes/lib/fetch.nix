# Files from the network, each pinned by its hash. The output is the file itself, under its own name.
{ check, system }:

let
  inherit (builtins)
    concatStringsSep
    elemAt
    filter
    head
    isList
    isString
    match
    replaceStrings
    split
    ;

  lastPart =
    url:
    let
      parts = filter isString (split "/" url);
    in
    elemAt parts (builtins.length parts - 1);
  # Names in the store have no `~`, `:` or `%`.
  fileName = url: replaceStrings [ "~" ":" "%" ] [ "-" "-" "-" ] (lastPart url);

  hashForms = "sha256:<64 hexadecimal digits>, sha256-…=, sha512-…=";
  hashIsKnown = hash: match "sha256:[0-9a-f]{64}|sha(256|512)-[A-Za-z0-9+/]+=*" hash != null;

  fetch =
    {
      name,
      version,
      urls,
      hash,
    }:
    if !isList urls || urls == [ ] then
      throw "the source of ${name} ${version} has no urls (a list, tried in order)"
    else if !hashIsKnown hash then
      throw "the source of ${name} ${version} has the hash `${hash}`; expected ${hashForms}"
    else
      derivation {
        inherit system;
        name = fileName (head urls);
        builder = "builtin:fetch";
        urls = concatStringsSep " " urls;
        outputHash = hash;
        outputHashMode = "flat";
      };

  # `pool` is a path in any Debian mirror, `sha256` plain hexadecimal: what a package index says.
  fetchPool =
    {
      name,
      version,
      pool,
      sha256,
      size ? null, # larder-lint: allow(L0003) what a pin says, for people
    }:
    fetch {
      inherit name version;
      urls = [ "mirror://debian/${pool}" ];
      hash = "sha256:${sha256}";
    };
in
{
  fetchSource = check "fetchSource" fetch;
  fetchDeb = check "fetchDeb" fetchPool;
}
