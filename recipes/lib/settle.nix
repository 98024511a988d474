# Packages of one root, of which some were installed after others and replace files of them (`installedOver`: their names). Who
# belongs together so becomes one tree, in which the later one wins; all else stays as it is. A root alone cannot say this: two
# trees in `override` that differ are refused in it.
{ compose }:
packages:

let
  inherit (builtins)
    any
    attrNames
    attrValues
    concatMap
    elem
    filter
    foldl'
    genericClosure
    groupBy
    head
    listToAttrs
    mapAttrs
    sort
    tail
    ;

  byName = listToAttrs (
    map (package: {
      name = package.pname;
      value = package;
    }) (filter (package: package ? pname) packages)
  );
  below = name: filter (other: byName ? ${other}) (byName.${name}.installedOver or [ ]);
  winners = filter (name: below name != [ ]) (attrNames byName);
  besides = name: below name ++ filter (other: elem name (below other)) winners;
  togetherWith =
    name:
    sort builtins.lessThan (
      map (node: node.key) (genericClosure {
        startSet = [ { key = name; } ];
        operator = node: map (key: { inherit key; }) (besides node.key);
      })
    );
  groups = attrValues (
    groupBy (name: head (togetherWith name)) (filter (name: besides name != [ ]) (attrNames byName))
  );

  # 0 for who was installed after none of these.
  levels = mapAttrs (
    name: _:
    foldl' (level: other: if levels.${other} < level then level else levels.${other} + 1) 0 (below name)
  ) byName;
  merged =
    names:
    let
      # As texts, levels of more than one digit would stand in another order.
      digits = level: builtins.substring 1 4 (toString (10000 + level));
      installed = map (map (name: byName.${name})) (
        attrValues (groupBy (name: digits levels.${name}) names)
      );
    in
    foldl' (before: winning: [
      (compose {
        name = "${(head winning).name}-installed";
        root = before ++ winning;
        override = winning;
      })
    ]) (head installed) (tail installed);

  grouped = concatMap (names: names) groups;
in
if winners == [ ] then
  packages
else
  filter (package: !(any (name: name == package.pname or null) grouped)) packages
  ++ concatMap merged groups
