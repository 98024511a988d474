# A package built from source: root = the seed plus `buildInputs` and what those need at run time; the phases of
# `phases.sh` with the defaults of a style; promises checked against the package's own output. Arguments: README.md.
{ check, closure, didYouMean, seed, shell, system, unpack }:

let
  inherit (builtins)
    attrNames attrValues concatMap concatStringsSep elem filter head isAttrs isList isPath isString listToAttrs
    mapAttrs pathExists readDir replaceStrings stringLength substring typeOf;

  # Styles are the files of `styles/`.
  styles = map (file: substring 0 (stringLength file - 3) file) (attrNames (readDir ./styles));

  phaseNames = [ "patch" "configure" "build" "check" "install" ];
  capitalised = name: {
    patch = "Patch"; configure = "Configure"; build = "Build"; check = "Check"; install = "Install";
  }.${name};
  phaseKeys = phaseNames ++ concatMap (name: [ "before${capitalised name}" "after${capitalised name}" ]) phaseNames;

  policies = [ "on" "off" "known-failures" ];

  # The first problem of a list of `{ when; say; }`, thrown in the name of the package; else `value`.
  unlessProblem = label: problems: value:
    let found = filter (problem: problem.when) problems;
    in if found == [ ] then value else throw "package ${label}: ${(head found).say}";

  isTree = value: isAttrs value && value ? outPath;
  isPinned = value: isPath value || isTree value;

  unknownIn = names: known: filter (name: !(elem name known)) names;
  unknownProblem = what: names: known:
    let unknown = unknownIn names known;
    in {
      when = unknown != [ ];
      say = "${what} `${head unknown}` is not known${didYouMean (head unknown) known}";
    };

  # A promise is a path below the output; a leading slash may be written.
  relative = path: if substring 0 1 path == "/" then substring 1 (stringLength path) path else path;

  environmentOf = env: listToAttrs (map (name: { inherit name; value = toString env.${name}; }) (attrNames env));

  # A patch in the tree is a file next to the recipe; any other must be a fetched file, which has a hash.
  patchText = patch: "${patch}";

  build =
    { pname
    , version
    , source ? null            # an archive: becomes the source directory
    , sources ? { }            # further archives: directory below the source directory -> archive
    , patches ? [ ]
    , style
    , buildInputs ? [ ]
    , runtime ? [ ]
    , configureFlags ? [ ]
    , makeFlags ? [ ]
    , env ? { }
    , phases ? { }
    , outputs ? { }            # further outputs: name -> paths that move there from `out`
    , strip ? true
    , verify
    , tests ? { policy = "on"; }
    , pending ? null
    , meta
    }:
    let
      label = "${pname} ${version}";
      allSources = (if source == null then { } else { "." = source; }) // sources;
      unpacked = directory: archive: unpack {
        name = "${pname}-source" + (if directory == "." then "" else "-${replaceStrings [ "/" ] [ "-" ] directory}");
        src = archive;
        stripComponents = 1;
      };
      sourceTrees = mapAttrs unpacked allSources;
      inputs = closure buildInputs;

      drv = derivation ({
        name = "${pname}-${version}";
        inherit system runtime;
        builder = "/usr/bin/bash";
        args = [ "${./phases.sh}" ];
        root = [ seed ] ++ inputs;
        override = inputs;
        outputs = [ "out" ] ++ attrNames outputs;
        larder_package = label;
        larder_style = "${./styles + "/${style}.sh"}";
        larder_sources = shell.words (map (directory: "${directory}=${sourceTrees.${directory}}") (attrNames sourceTrees));
        larder_patches = shell.words (map patchText patches);
        larder_configure_flags = shell.words configureFlags;
        larder_make_flags = shell.words makeFlags;
        larder_promises = shell.words (map relative verify);
        larder_moves = shell.words
          (concatMap (output: map (path: "${output}=${relative path}") outputs.${output}) (attrNames outputs));
        larder_tests = tests.policy;
        larder_tests_reason = tests.reason or "";
        larder_strip = if strip then "yes" else "no";
      }
      // listToAttrs (map (key: { name = "larder_phase_${key}"; value = phases.${key}; }) (attrNames phases))
      // environmentOf env);

      problems = [
        (unknownProblem "the style" [ style ] styles)
        (unknownProblem "the phase" (attrNames phases) phaseKeys)
        (unknownProblem "the member of tests" (attrNames tests) [ "policy" "reason" ])
        (unknownProblem "the member of meta" (attrNames meta) [ "description" "homepage" "licence" ])
        (unknownProblem "the tests policy" [ (tests.policy or "") ] policies)
        {
          when = (tests.policy or "on") != "on" && (tests.reason or "") == "";
          say = "tests that are `${tests.policy}` need a `reason`";
        }
        {
          when = verify == [ ];
          say = "`verify` is empty: promise at least one path";
        }
        {
          when = !(meta ? description && meta ? licence);
          say = "meta needs `description` and `licence`";
        }
        {
          when = filter (patch: !(isPinned patch)) patches != [ ];
          say = "a patch must be a file of the tree or a fetched file";
        }
        {
          when = filter (archive: !(isPinned archive)) (attrValues allSources) != [ ];
          say = "a source must be a fetched file or a file of the tree";
        }
        {
          when = allSources == { } && style != "custom";
          say = "there is no source";
        }
        {
          when = filter (input: !(isTree input)) (buildInputs ++ runtime) != [ ];
          say = "buildInputs and runtime are lists of packages";
        }
        {
          when = pending != null && !(isString pending && pending != "");
          say = "`pending` is the reason why the package is not built yet";
        }
      ];

      described = { inherit meta outputs pending pname runtime source tests version; };
    in
    if pending == null then
      unlessProblem label problems (drv // removeAttrs described [ "outputs" "runtime" ])
    else
      described // {
        type = "derivation";
        name = "${pname}-${version}";
        drvPath = throw "package ${label} is pending: ${pending}";
        outPath = throw "package ${label} is pending: ${pending}";
      };
in
arguments: check "mkPackage (${arguments.pname or "without pname"})" build arguments
