# A package built from source in a standard environment: its layers, `tools`, and `buildInputs` with what those need at
# run time; the phases of `phases.sh` with the defaults of a style; promises checked against the package's own output.
# Arguments: README.md.
{
  check,
  closure,
  compose,
  didYouMean,
  shell,
  stdenv,
  styleTools, # style -> trees that its commands are in
  system,
  unpack,
  vendorCrates,
}:

let
  inherit (builtins)
    attrNames
    attrValues
    concatMap
    filter
    head
    isAttrs
    isPath
    listToAttrs
    mapAttrs
    readDir
    replaceStrings
    stringLength
    substring
    toString
    ;

  # Styles are the files of `styles/`.
  styles = map (file: substring 0 (stringLength file - stringLength ".sh") file) (
    attrNames (readDir ./styles)
  );
  problemsOf = import ./package-problems.nix { inherit didYouMean styles; };

  # A promise is a path below the output; a leading slash may be written.
  relative = path: if substring 0 1 path == "/" then substring 1 (stringLength path) path else path;

  # `{ a = x; }` as shell words `a=x`.
  assignments = set: shell.words (map (name: "${name}=${set.${name}}") (attrNames set));

  unpackSource =
    pname: directory: archive:
    unpack {
      name =
        "${pname}-source"
        + (if directory == "." then "" else "-${replaceStrings [ "/" ] [ "-" ] directory}");
      src = archive;
      stripComponents = 1;
    };

  # What a package is built with, where its compiler looks for it.
  placeInputs =
    pname: inputs:
    if stdenv.sysroot == null then
      inputs
    else if stdenv.sysroot ++ inputs == [ ] then
      [ ]
    else
      [
        (compose {
          name = "${pname}-sysroot";
          root = stdenv.sysroot ++ inputs;
          override = inputs;
          at = "sysroot";
        })
      ];

  untested = "the same sources are tested where the seed builds them";

  movesOf =
    outputs:
    concatMap (output: map (path: "${output}=${relative path}") outputs.${output}) (attrNames outputs);

  # What is null does nothing; of itself, the style custom does that.
  phaseVariables =
    style: phases:
    listToAttrs (
      map (key: {
        name = "larder_phase_${key}";
        value = if phases.${key} == null then "" else phases.${key};
      }) (filter (key: style != "custom" || phases.${key} != null) (attrNames phases))
    );

  build =
    {
      pname,
      version,
      source ? null, # an archive: becomes the source directory
      sources ? { }, # further archives: directory below the source directory -> archive
      patches ? [ ],
      style,
      buildInputs ? [ ],
      tools ? [ ], # trees whose programs run during the build, composed at `/`
      runtime ? [ ],
      configureFlags ? [ ],
      makeFlags ? [ ],
      cargoLock ? null, # style cargo: the lock file, beside the recipe
      env ? { },
      phases ? { },
      outputs ? { }, # further outputs: name -> paths that move there from `out`
      strip ? true,
      metapackage ? false, # that it installs nothing is meant: it stands for what it needs
      verify ? [ ],
      # Data for the images that it is in.
      users ? { },
      groups ? { },
      owners ? { },
      services ? { },
      tests ? {
        policy = "on";
      },
      pending ? null,
      meta,
    }:
    let
      label = "${pname} ${version}";
      archives = (if source == null then { } else { "." = source; }) // sources;
      inputs = closure buildInputs;
      placed = placeInputs pname inputs;
      crates = if cargoLock == null then null else vendorCrates pname cargoLock;

      drv = derivation (
        mapAttrs (_: toString) (stdenv.env // env)
        // phaseVariables style phases
        // {
          name = "${pname}-${version}";
          inherit system runtime;
          builder = "/usr/bin/bash";
          args = [ "${./phases.sh}" ];
          root = stdenv.layers ++ styleTools.${style} or [ ] ++ tools ++ placed;
          override = placed;
          outputs = [ "out" ] ++ attrNames outputs;
          larder_package = label;
          larder_style = "${./styles + "/${style}.sh"}";
          larder_sources = assignments (mapAttrs (unpackSource pname) archives);
          larder_patches = shell.words (map (patch: "${patch}") patches);
          larder_configure_flags = shell.words configureFlags;
          larder_crates = if crates == null then "" else crates;
          larder_metapackage = if metapackage then "yes" else "no";
          larder_make_flags = shell.words makeFlags;
          larder_processors = "${./processors.sh}";
          larder_promise_check = "${./promises.sh}";
          larder_promises = shell.words (map relative verify);
          larder_moves = shell.words (movesOf outputs);
          larder_tests = if stdenv.tested then tests.policy else "off";
          larder_tests_reason = if stdenv.tested then tests.reason or "" else untested;
          larder_triplet = stdenv.triplet;
          larder_strip = if strip then "yes" else "no";
        }
      );

      problems = problemsOf {
        inherit
          archives
          buildInputs
          cargoLock
          meta
          metapackage
          patches
          pending
          phases
          runtime
          style
          tests
          verify
          ;
      };
      postponed = throw "package ${label} is pending: ${pending}";
      description = {
        inherit
          groups
          meta
          owners
          pending
          pname
          services
          source
          tests
          users
          version
          ;
        # All that is fetched for it: archives, patches that do not lie beside the recipe, crates.
        sources =
          attrValues archives
          ++ filter (patch: !isPath patch) patches
          ++ (if crates == null then [ ] else crates.sources);
      };
    in
    if problems != [ ] then
      throw "package ${label}: ${head problems}"
    else if pending == null then
      drv // description
    else
      description
      // {
        inherit runtime;
        type = "derivation";
        name = "${pname}-${version}";
        drvPath = postponed;
        outPath = postponed;
      };

  # Sets of words, as `phases` and `env`, are merged with those that were there; all else is replaced.
  changed =
    arguments: changes:
    arguments
    // mapAttrs (
      name: value:
      if isWords value && isWords (arguments.${name} or null) then arguments.${name} // value else value
    ) changes;
  isWords = value: isAttrs value && !(value ? outPath);

  # `change` gives the same package with other arguments: `zlib.change { phases.check = "…"; }`.
  make =
    arguments:
    check "mkPackage (${arguments.pname or "without pname"})" build arguments
    // {
      change = changes: make (changed arguments changes);
    };
in
make
