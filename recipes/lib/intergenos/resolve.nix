# Who is built with whom. A name means the package that in the end takes its place, where that makes no cycle: so a
# package that is built in two passes is used in its second form by all that the second pass does not itself need.
{
  didYouMean,
  isSound, # whether a recipe can be built, as far as evaluating tells
  recipes,
  tiers, # tier → names of its recipes
  visible, # tier → tiers and recipes that its recipes are built with, whatever they name
}:

let
  inherit (builtins)
    attrNames
    concatMap
    concatStringsSep
    deepSeq
    elem
    elemAt
    filter
    foldl'
    genericClosure
    head
    length
    listToAttrs
    mapAttrs
    match
    tryEval
    ;

  names = attrNames recipes;
  known = name: recipes ? ${name};

  # What can be told of a recipe: one that is wrong is complained of when it is built, and not before.
  told =
    value:
    let
      tried = tryEval (deepSeq value value);
    in
    if tried.success then tried.value else [ ];

  # Names that no recipe has are complained of by who is built with them, too.
  declared = mapAttrs (name: recipe: {
    build = filter (other: known other && other != name) (told recipe.build);
    runtime = filter (other: known other && other != name) (told recipe.runtime);
  }) recipes;

  # Recipes that take each other's place, which would leave none of them, are wrong and keep theirs.
  follows = name: filter known (told recipes.${name}.supersedes);
  followsItself = setOf (filter (name: elem name (reachable follows (follows name))) names);
  successors = concatMap (
    name:
    map (old: {
      inherit name old;
    }) (filter (old: !(followsItself ? ${name} && followsItself ? ${old})) (follows name))
  ) names;
  superseded = listToAttrs (
    map (pair: {
      name = pair.old;
      value = pair.name;
    }) successors
  );

  # All that can be reached from some names, themselves with it.
  reachable =
    next: from:
    map (node: node.key) (genericClosure {
      startSet = map (key: { inherit key; }) from;
      operator = node: map (key: { inherit key; }) (next node.key);
    });

  replace = old: new: map (name: if name == old then new else name);

  # The graph in which `pair.name` is used wherever `pair.old` was, but by what it needs itself.
  useSuccessor =
    before: pair:
    let
      needed = setOf (reachable (name: before.${name}.build ++ before.${name}.runtime) [ pair.name ]);
    in
    mapAttrs (
      name: needs: if needed ? ${name} then needs else mapAttrs (_: replace pair.old pair.name) needs
    ) before;
  graph = foldl' useSuccessor declared successors;

  # What is left when all that needs nothing, then all that needs only those, and so on, is taken away.
  cyclic =
    left:
    let
      rest = filter (name: builtins.any (other: elemOf left other) graph.${name}.build) (attrNames left);
    in
    if length rest == length (attrNames left) then left else cyclic (setOf rest);
  elemOf = set: name: set ? ${name};
  stuck = cyclic (mapAttrs (_: _: true) recipes);

  # Follows one need after the other among what is stuck, to the first name that is there already.
  cycleFrom =
    path: name:
    if elem name path then
      dropUntil name path ++ [ name ]
    else
      cycleFrom (path ++ [ name ]) (head (filter (elemOf stuck) graph.${name}.build));
  dropUntil =
    name: path:
    if head path == name then
      path
    else
      dropUntil name (builtins.genList (index: elemAt path (index + 1)) (length path - 1));

  # A need at run time that would close a cycle is none of the build's.
  addRuntime =
    before: need:
    if elem need.name (reachable (name: before.${name}.all) [ need.other ]) then
      before
    else
      before
      // {
        ${need.name} = {
          runtime = before.${need.name}.runtime ++ [ need.other ];
          all = before.${need.name}.all ++ [ need.other ];
        };
      };
  withoutRuntime = mapAttrs (_: needs: {
    runtime = [ ];
    all = needs.build;
  }) graph;
  runtimeNeeds = concatMap (name: map (other: { inherit name other; }) graph.${name}.runtime) names;
  edges = foldl' addRuntime withoutRuntime (filter (need: !(stuck ? ${need.name})) runtimeNeeds);

  setOf =
    list:
    listToAttrs (
      map (name: {
        inherit name;
        value = true;
      }) list
    );
  unique = list: attrNames (setOf list);

  # For each tier that sees others: these, with all that they need. Who is among them does not see them.
  seenByTier = mapAttrs (
    _: words:
    setOf (
      reachable (name: edges.${name}.runtime ++ graph.${name}.build) (
        concatMap (word: tiers.${word} or [ word ]) words
      )
    )
  ) visible;
  tierOf = name: toString (told recipes.${name}.tier);
  sees = name: seenByTier ? ${tierOf name} && !(seenByTier.${tierOf name} ? ${name});
  seenBy = name: if sees name then filter isSound (attrNames seenByTier.${tierOf name}) else [ ];
  tiersSeen = tier: unique (map tierOf (filter sees (attrNames seenByTier.${tier})));
  circular = filter (tier: elem tier (reachable tiersSeen (tiersSeen tier))) (attrNames visible);

  # Other distributions write `zlib >= 1.2`.
  insteadOf =
    name:
    let
      asked = match "([^<>=~!( ]+) *[<>=~!(].*" name;
    in
    if asked != null && known (head asked) then
      "; no version can be asked for: say `${head asked}`"
    else
      didYouMean name names;
  unknownOf = name: filter (other: !(known other)) (recipes.${name}.build ++ recipes.${name}.runtime);
  checked =
    name: value:
    if unknownOf name != [ ] then
      recipes.${name}.complainIn "dependencies" (head (unknownOf name))
        "depends on `${head (unknownOf name)}`, which no recipe of the tree is called${insteadOf (head (unknownOf name))}"
    else if followsItself ? ${name} then
      recipes.${name}.complain "supersedes:"
        "${name} takes the place of what takes its own: ${concatStringsSep ", " (follows name)}"
    else if circular != [ ] then
      throw "visible: recipes of the tier ${head circular} see some that see them"
    else if stuck ? ${name} then
      throw "${recipes.${name}.place}: the recipe needs itself: ${
        concatStringsSep " -> " (cycleFrom [ ] name)
      }"
    else
      value;

  rootOf =
    name:
    checked name (
      let
        all =
          reachable (other: edges.${other}.runtime ++ graph.${other}.build) (graph.${name}.build)
          ++ seenBy name;
        present = setOf all;
      in
      filter (other: !(superseded ? ${other} && present ? ${superseded.${other}})) (unique all)
    );
in
{
  # What lies in the root of its build, beside the environment.
  inherit rootOf superseded;

  # What of that is there because its tier sees it.
  seenOf = name: filter (elemOf (setOf (seenBy name))) (rootOf name);

  # What it is declared to need when it is used. Such trees name libraries among what they build with.
  runtimeOf = name: checked name (unique (edges.${name}.runtime ++ graph.${name}.build));
}
