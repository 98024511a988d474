# A large value to JSON and back.
{ n }:
let
  inherit (builtins) foldl' fromJSON genList hashString length listToAttrs stringLength toJSON;
  record = i: {
    id = i;
    name = "record \"${toString i}\"\n";
    ratio = 0.125 + (i - i / 8 * 8);
    enabled = i / 2 * 2 == i;
    nothing = null;
    tags = [ "a" "b${toString i}" "ünïcode" ];
    nested = listToAttrs (genList (k: { name = "key${toString k}"; value = { depth = [ [ k ] [ (k * i) ] ]; }; }) 5);
  };
  text = toJSON (genList record n);
  back = fromJSON text;
in [
  (stringLength text)
  (hashString "sha256" text)
  (toJSON back == text)
  (foldl' (sum: record: sum + record.id + length record.tags + builtins.elemAt (builtins.elemAt record.nested.key3.depth 1) 0) 0 back)
]
