# Pins: a JSON list of `{ name, version, pool, sha256, size }`, written by a program, read here into a set by name.
{ check }:

let
  inherit (builtins) fromJSON groupBy head isInt length mapAttrs match readFile;

  pin = file: check "a pin in ${toString file}" ({ name, version, pool, sha256, size }@entry:
    if match "[0-9a-f]{64}" sha256 == null then throw "${toString file}: ${name}: `${sha256}` is not a sha256"
    else if match "pool/[^[:space:]]+" pool == null then throw "${toString file}: ${name}: `${pool}` is not a pool path"
    else if !isInt size then throw "${toString file}: ${name}: the size is not a whole number"
    else entry);

  single = file: name: pins:
    if length pins == 1 then head pins else throw "${toString file} pins ${name} ${toString (length pins)} times";
in
{
  readPins = file:
    mapAttrs (single file) (groupBy (entry: entry.name) (map (pin file) (fromJSON (readFile file))));
}
