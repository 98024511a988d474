# The recipe tree. Every directory beside `lib` is a tier; every `<tier>/<name>/recipe.nix` is called with the packages
# and the words of `lib` that its function names. There is no list of packages to keep.
{
  system ? builtins.currentSystem or "x86_64-linux",
}:

let
  inherit (builtins)
    attrNames
    attrValues
    concatMap
    concatStringsSep
    elem
    filter
    foldl'
    intersectAttrs
    listToAttrs
    mapAttrs
    match
    pathExists
    readDir
    ;

  directoriesOf =
    path:
    let
      entries = readDir path;
    in
    filter (name: entries.${name} == "directory") (attrNames entries);

  tierNames = filter (
    name:
    !elem name [
      "images"
      "lib"
    ]
  ) (directoriesOf ./.);

  imageNames =
    let
      entries = readDir ./images;
      nameOf = file: if entries.${file} == "regular" then match "(.*)\\.nix" file else null;
    in
    concatMap (file: if nameOf file == null then [ ] else nameOf file) (attrNames entries);

  recipeFile =
    tier: name:
    let
      file = ./. + "/${tier}/${name}/recipe.nix";
    in
    if pathExists file then file else throw "recipes/${tier}/${name} has no recipe.nix";

  # What is used to build everything else: built by the seed, and the same whatever it is used for.
  foundation = [
    "seed"
    "toolchain"
  ];

  # All packages, as a standard environment builds them. `shared` are tiers that are there already.
  packageSet =
    stdenv: shared:
    let
      lib = import ./lib {
        inherit stdenv system;
        tools = packages;
      };
      tiers = listToAttrs (
        map (name: {
          inherit name;
          value = shared.${name} or (callTier scope name);
        }) tierNames
      );
      packages = foldl' (mergeTier tiers) { } tierNames;
      scope =
        lib.words
        // packages
        // lib.parts
        // {
          inherit lib stdenv system;
          inherit (stdenv) libc;
        };
    in
    {
      inherit
        lib
        packages
        scope
        tiers
        ;
    };

  callTier =
    scope: tier:
    listToAttrs (
      map (name: {
        inherit name;
        value = callRecipe scope "${tier}/${name}/recipe.nix" (recipeFile tier name);
      }) (directoriesOf (./. + "/${tier}"))
    );

  # Tiers share one name space, so that `recipes#hello` means one thing.
  mergeTier =
    tiers: merged: tier:
    let
      taken = filter (name: merged ? ${name} || elem name reserved) (attrNames tiers.${tier});
    in
    if taken == [ ] then
      merged // tiers.${tier}
    else
      throw "recipes/${tier} has `${concatStringsSep "`, `" taken}`, a name that is taken already";
  reserved = [
    "audit"
    "checks"
    "images"
    "lib"
    "machine"
    "phases"
    "small"
    "system"
    "tiers"
  ];

  seedSet = packageSet stdenvs.seed { };
  inherit (seedSet.lib) callRecipe;
  stdenvs = import ./lib/stdenvs {
    inherit (seedSet) packages;
    # Only with what is there before the environment is complete.
    call =
      stdenv: file:
      callRecipe (packageSet stdenv (foundationOf seedSet.tiers)).scope (baseNameOf file) file;
  };
  foundationOf =
    tiers:
    intersectAttrs (listToAttrs (
      map (name: {
        inherit name;
        value = null;
      }) foundation
    )) tiers;

  # What an environment for images makes of the tree: packages and images; the one called `name` is the main one.
  imageSet =
    name: stdenv:
    let
      set = packageSet stdenv (foundationOf seedSet.tiers);
      call =
        file:
        callRecipe (
          set.scope
          // {
            inherit audit compiler image;
            inherit (set) tiers;
            trials = import ./lib/image/trials.nix;
          }
        ) file (./. + "/${file}");
      # Runs in the system and compiles for it: no part of an image, unless that names it.
      compiler = if set.packages.gcc.pending == null then set.packages.gcc else set.packages.tcc;
      pack = call "lib/image/default.nix";
      image = arguments: complete (pack arguments);
      checksOf = call "lib/image/checks.nix";
      machineOf = call "lib/image/machine.nix";
      phasesOf = call "lib/image/phases.nix";
      complete =
        made:
        made
        // {
          checks = checksOf made;
          machine = machineOf made;
          phases = phasesOf made;
        };
      imageOf = file: call "images/${file}.nix";
      every = listToAttrs (
        map (file: {
          name = file;
          value = imageOf file;
        }) imageNames
      );
      images = every.${name} // every;
      audit = import ./lib/audit.nix {
        inherit foundation;
        inherit (set) tiers;
        images = attrValues every;
      };
    in
    set.packages
    // {
      inherit (set) tiers;
      inherit (stdenv) libc;
      inherit audit images;
      inherit (images) machine;
      # Their names do not depend on the image: no error of it keeps anybody from the phases of a tier.
      phases = phasesOf every.${name};
      checks = images.checks // {
        native = call "lib/native/check.nix";
      };
      lib = set.lib // {
        inherit image;
      };
    };

  # Everything of a tier that is not pending, composed: shows also that its packages can live in one root.
  phaseOf =
    lib: tier: recipes:
    lib.compose {
      name = "phase-${tier}";
      root = filter (package: package.pending or null == null) (attrValues recipes);
    };
  systemSet = imageSet "system" stdenvs.system;
in
seedSet.packages
// {
  inherit (seedSet) lib tiers;
  # Of a name that both have, as `toolchain`, the tier.
  phases = systemSet.phases // mapAttrs (phaseOf seedSet.lib) seedSet.tiers;
  small = imageSet "small" stdenvs.small;
  system = systemSet;
  inherit (systemSet)
    audit
    checks
    images
    machine
    ;
}
