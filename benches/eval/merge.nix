# A large set that grows by `//`, element by element, and the sets that library functions make of it.
{ n }:
let
  inherit (builtins) attrNames attrValues elemAt filter foldl' genList length listToAttrs mapAttrs removeAttrs zipAttrsWith;
  base = listToAttrs (genList (i: { name = "attribute${toString i}"; value = i; }) 1000);
  step = set: i: set // { "attribute${toString (i * 7)}" = i; "new${toString i}" = set."attribute${toString (i - i / 1000 * 1000)}"; };
  grown = foldl' step base (genList (i: i) n);
  small = genList (i: { "a${toString (i - i / 50 * 50)}" = i; b = i; "c${toString i}" = i; }) (n * 5);
  zipped = zipAttrsWith (name: values: length values) small;
  without = foldl' (set: i: removeAttrs set [ "new${toString i}" ]) grown (genList (i: i * 3) (n / 10));
  recursiveUpdate = a: b: zipAttrsWith (name: values:
    if length values == 1 then elemAt values 0
    else if builtins.isAttrs (elemAt values 0) && builtins.isAttrs (elemAt values 1) then recursiveUpdate (elemAt values 0) (elemAt values 1)
    else elemAt values 1) [ a b ];
  nested = i: { x.y."k${toString (i - i / 20 * 20)}".z = i; x.w = i; v."n${toString i}" = i; };
  updated = foldl' (set: i: recursiveUpdate set (nested i)) { } (genList (i: i) (n / 10));
in [
  (length (attrNames grown))
  (foldl' (a: b: a + b) 0 (attrValues zipped))
  (length (filter (x: x > 500) (attrValues (mapAttrs (name: value: value + 1) without))))
  updated.x
]
