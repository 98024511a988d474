# A tree of `<tier>/<name>/package.yml` and `build.sh`, read as the distribution that writes them does, unchanged, into
# packages by tier. Nothing that is wrong with one recipe keeps another from being built: `larder lint DIR` tells it all
# at once. What a build finds in its environment is said in phases.sh.
{
  check,
  compose,
  didYouMean,
  environment,
  settle,
  shell,
  system,
  unpack,
}:

let
  inherit (builtins)
    attrNames
    baseNameOf
    concatMap
    concatStringsSep
    dirOf
    elem
    filter
    genericClosure
    groupBy
    head
    isAttrs
    isFunction
    isList
    listToAttrs
    mapAttrs
    match
    partition
    pathExists
    readDir
    seq
    tryEval
    ;

  readRecipe = import ./recipe.nix { inherit didYouMean; };
  resolve = import ./resolve.nix;
  makePackage = import ./package.nix {
    inherit
      settle
      shell
      system
      unpack
      ;
  };

  directoriesOf =
    path:
    let
      entries = readDir path;
    in
    filter (name: entries.${name} == "directory" && builtins.substring 0 1 name != ".") (
      attrNames entries
    );

  # The recipes of a tree, each as `{ tier, name, directory, files }`.
  recipesOf =
    packages:
    concatMap (
      tier:
      concatMap (
        name:
        let
          directory = packages + "/${tier}/${name}";
          files = readDir directory;
        in
        if files ? "package.yml" then
          [
            {
              inherit
                directory
                files
                name
                tier
                ;
            }
          ]
        else
          [ ]
      ) (directoriesOf (packages + "/${tier}"))
    ) (directoriesOf packages);

  # A derivation that says what is not UTF-8 would end the evaluation of the whole tree.
  isPlain = name: match "[ -~]*" name != null;
  single =
    name: recipes:
    if !(isPlain name) then
      throw "${(head recipes).place}: the name of its directory is not ASCII"
    else if builtins.length recipes == 1 then
      head recipes
    else
      throw "two recipes are called ${name}: ${
        concatStringsSep " and " (map (recipe: recipe.place) recipes)
      }";

  firstThat =
    accepts: fallback: paths:
    head (filter accepts paths ++ [ fallback ]);

  read =
    {
      tree, # the directory of the tiers, or one with it in `packages`
      patches ? null, # the directory of the patch files
      repository ? null, # what recipes call /mnt/intergenos
      # Trees that every build has: a list, a list for each tier, or a function that makes one of these of the usual list.
      environment ? defaultEnvironment,
      visible ? { }, # tier → tiers and recipes that its recipes are built with, whatever they name
      artifacts ? { }, # what build_artifacts name, or build.sh alone, by name
      check ? true, # whether tests run
      withoutPostInstall ? [ ], # recipes whose post_install is left to the image
      installedOver ? { }, # recipe → those that it is installed after, whose files it replaces
      allowedUnmet ? { }, # recipe, or `*` for all → what its files need and need not find at run time
    }:
    let
      packages = if pathExists (tree + "/packages") then tree + "/packages" else tree;
      top =
        if repository != null then
          repository
        else if baseNameOf (toString packages) == "packages" then
          dirOf packages
        else
          packages;
      patchDirectory =
        if patches != null then
          patches
        else
          firstThat pathExists (top + "/build/patches") [
            (top + "/build/patches")
            (top + "/patches")
            (packages + "/patches")
          ];

      found =
        let
          all = recipesOf packages;
        in
        if all == [ ] then
          throw "there is no recipe in ${toString packages}: recipes are TIER/NAME/package.yml in the directory that lib.intergenos is given"
        else
          all;
      recipes = mapAttrs single (groupBy (recipe: recipe.name) (map readRecipe found));
      graph = resolve {
        inherit didYouMean recipes;
        isSound = name: sound.${name};
        tiers = mapAttrs (_: map (recipe: recipe.name)) byTier;
        visible = visibleTo;
      };
      chosen = if isFunction environment then environment defaultEnvironment else environment;
      environmentOf = tier: if isAttrs chosen then chosen.${tier} or defaultEnvironment else chosen;

      built = mapAttrs (
        name: recipe:
        makePackage {
          inherit
            artifacts
            check
            patchDirectory
            recipe
            ;
          repository = top;
          environment = environmentOf recipe.tier;
          postInstall = !(elem name withoutPostInstall);
          installedOver = order.${name} or [ ];
          allowedUnmet = (waived."*" or [ ]) ++ (waived.${name} or [ ]);
          root = map (dependency: built.${dependency}) (graph.rootOf name);
          runtime = map (dependency: built.${dependency}) (graph.runtimeOf name);
          seen = map (dependency: built.${dependency}) (graph.seenOf name);
        }
      ) recipes;

      unknownOf = filter (name: !(recipes ? ${name}));
      strange =
        unknown:
        ": no recipe of the tree is called `${head unknown}`${didYouMean (head unknown) (attrNames recipes)}";
      waived =
        let
          unknown = unknownOf (attrNames (removeAttrs allowedUnmet [ "*" ]));
        in
        if unknown == [ ] then allowedUnmet else throw "allowedUnmet${strange unknown}";

      # What is wrong with one recipe keeps none that sees it from being built.
      sound = mapAttrs (
        _: package:
        let
          tried = tryEval (package.pending == null && seq package.drvPath true);
        in
        tried.success && tried.value
      ) built;

      byTier = groupBy (recipe: recipe.tier) found;
      visibleTo =
        let
          noTier = filter (tier: !(byTier ? ${tier})) (attrNames visible);
          noList = filter (tier: !(isList visible.${tier})) (attrNames visible);
          itself = filter (tier: elem tier visible.${tier}) (attrNames visible);
          unknown = filter (word: !(byTier ? ${word} || recipes ? ${word})) (
            concatMap (tier: visible.${tier}) (attrNames visible)
          );
        in
        if noTier != [ ] then
          throw "visible: no tier of the tree is called `${head noTier}`${didYouMean (head noTier) (attrNames byTier)}"
        else if noList != [ ] then
          throw "visible.${head noList} is a list of tiers and recipes"
        else if itself != [ ] then
          throw "visible.${head itself}: a tier does not see itself, for then each of two recipes would be built with the other"
        else if unknown != [ ] then
          throw "visible: no tier and no recipe of the tree is called `${head unknown}`${
            didYouMean (head unknown) (attrNames byTier ++ attrNames recipes)
          }"
        else
          visible;

      # Whose files win where two packages have one path.
      order =
        let
          mentioned =
            attrNames installedOver ++ concatMap (name: installedOver.${name}) (attrNames installedOver);
          unknown = unknownOf mentioned;
          after =
            name:
            map (node: node.key) (genericClosure {
              startSet = map (key: { inherit key; }) (installedOver.${name} or [ ]);
              operator = node: map (key: { inherit key; }) (installedOver.${node.key} or [ ]);
            });
          circular = filter (name: elem name (after name)) (attrNames installedOver);
        in
        if unknown != [ ] then
          throw "installedOver${strange unknown}"
        else if circular != [ ] then
          throw "installedOver: ${head circular} is installed after itself"
        else
          installedOver;

      tiers = mapAttrs (
        _: members:
        listToAttrs (
          map (recipe: {
            inherit (recipe) name;
            value = built.${recipe.name};
          }) members
        )
      ) byTier;

      # A tier as one tree, without what another package takes the place of. With recipes in it that are wrong it fails and
      # names them, as one of its parts, so that the others can be built (--keep-going).
      phaseOf =
        tier: members:
        let
          # What another takes the place of need not even evaluate.
          wanted = filter (name: !(graph.superseded ? ${name})) (attrNames members);
          inherit (partition (name: evaluates members.${name}) wanted) right wrong;
          whole = map (name: members.${name}) right;
        in
        compose {
          name = "phase-${tier}";
          root =
            settle (filter (package: package.pending == null) whole)
            ++ (if wrong == [ ] then [ ] else [ (refusal tier wrong) ]);
        };
      evaluates = package: (tryEval (package.pending != null || seq package.drvPath true)).success;
      refusal =
        tier: wrong:
        derivation {
          name = "phase-${tier}-refused";
          inherit system;
          builder = "/usr/bin/bash";
          args = [
            "-c"
            ''echo "larder: recipes of $tier are wrong; build one of them, or \`larder lint\` the tree, to see why: $wrong" >&2; exit 1''
          ];
          inherit tier;
          wrong = concatStringsSep ", " (
            map (name: if isPlain name then name else "one whose name is not ASCII") wrong
          );
          root = environmentOf tier;
        };
    in
    built
    // tiers
    // {
      inherit tiers;
      packages = built;
      phases = mapAttrs phaseOf tiers;
    };

  defaultEnvironment = environment;
  named = check "intergenos" read;
in
arguments:
named (if isAttrs arguments && !(isList arguments) then arguments else { tree = arguments; })
