# The recipe tree. Every directory beside `lib` is a tier; every `<tier>/<name>/recipe.nix` is called with the packages
# and the words of `lib` that its function names. There is no list of packages to keep.
{
  system ? builtins.currentSystem or "x86_64-linux",
}:

let
  inherit (builtins)
    attrNames
    attrValues
    concatStringsSep
    elem
    filter
    foldl'
    listToAttrs
    mapAttrs
    pathExists
    readDir
    ;

  lib = import ./lib {
    inherit system;
    inherit (packages) seed;
    tools = packages;
  };

  directoriesOf =
    path:
    let
      entries = readDir path;
    in
    filter (name: entries.${name} == "directory") (attrNames entries);

  tierNames = filter (name: name != "lib") (directoriesOf ./.);

  recipeFile =
    tier: name:
    let
      file = ./. + "/${tier}/${name}/recipe.nix";
    in
    if pathExists file then file else throw "recipes/${tier}/${name} has no recipe.nix";

  callTier =
    tier:
    listToAttrs (
      map (name: {
        inherit name;
        value = lib.callRecipe scope "${tier}/${name}" (recipeFile tier name);
      }) (directoriesOf (./. + "/${tier}"))
    );

  tiers = listToAttrs (
    map (name: {
      inherit name;
      value = callTier name;
    }) tierNames
  );

  # Tiers share one name space, so that `recipes#hello` means one thing.
  packages = foldl' mergeTier { } tierNames;
  mergeTier =
    merged: tier:
    let
      taken = filter (name: merged ? ${name} || elem name reserved) (attrNames tiers.${tier});
    in
    if taken == [ ] then
      merged // tiers.${tier}
    else
      throw "recipes/${tier} has `${concatStringsSep "`, `" taken}`, a name that is taken already";
  reserved = [
    "lib"
    "phases"
    "tiers"
  ];

  scope = lib.words // packages // { inherit lib system; };

  # Everything of a tier that is not pending, composed: shows also that its packages can live in one root.
  phaseOf =
    tier: recipes:
    lib.compose {
      name = "phase-${tier}";
      root = filter (package: package.pending or null == null) (attrValues recipes);
    };
in
packages
// {
  inherit lib tiers;
  phases = mapAttrs phaseOf tiers;
}
