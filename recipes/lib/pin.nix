# Pins: a JSON list of `{ name, version, pool, sha256, size }`, written by a program, read here into a set by name.
{ check }:

let
  inherit (builtins)
    fromJSON
    groupBy
    head
    isInt
    length
    mapAttrs
    match
    readFile
    ;

  pin =
    place:
    check "a pin in ${place}" (
      {
        name,
        version,
        pool,
        sha256,
        size,
      }@entry:
      if match "[0-9a-f]{64}" sha256 == null then
        throw "${place}: ${name}: `${sha256}` is not a sha256"
      else if match "pool/[^[:space:]]+" pool == null then
        throw "${place}: ${name}: `${pool}` is not a pool path"
      else if !isInt size then
        throw "${place}: ${name}: the size is not a whole number"
      else
        entry
    );

  single =
    place: name: pins:
    if length pins == 1 then
      head pins
    else
      throw "${place} pins ${name} ${toString (length pins)} times";

  # `place` is for messages.
  pinsByName =
    place: pins: mapAttrs (single place) (groupBy (entry: entry.name) (map (pin place) pins));
in
{
  inherit pinsByName;
  readPins = file: pinsByName (toString file) (fromJSON (readFile file));
}
