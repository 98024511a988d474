# What is wrong with the arguments of a package, as a list of messages; the first one is enough for the user.
{ didYouMean, styles }:
{
  archives,
  buildInputs,
  cargoLock,
  meta,
  metapackage,
  patches,
  pending,
  phases,
  runtime,
  style,
  tests,
  verify,
}:

let
  inherit (builtins)
    all
    any
    attrNames
    attrValues
    concatMap
    elem
    filter
    head
    isAttrs
    isPath
    isString
    length
    match
    split
    unsafeDiscardStringContext
    ;

  phaseNames = [
    "patch"
    "configure"
    "build"
    "check"
    "install"
  ];
  capitalised = {
    patch = "Patch";
    configure = "Configure";
    build = "Build";
    check = "Check";
    install = "Install";
  };
  around = name: [
    "before${capitalised.${name}}"
    "after${capitalised.${name}}"
  ];
  phaseKeys = phaseNames ++ concatMap around phaseNames;

  # Nothing that a shell does: no command, or only such as do nothing.
  isIdle =
    text:
    all (
      line: !isString line || match "[[:space:]]*((:|true)[[:space:]]*;?[[:space:]]*)?(#.*)?" line != null
    ) (split "\n" text);
  # What a recipe means to leave out it says as null.
  idle = filter (name: isString phases.${name} && isIdle phases.${name}) (attrNames phases);
  untold = filter (name: phases.${name} != null && !isString phases.${name}) (attrNames phases);
  # Styles that know of no tests themselves.
  testless = elem style [
    "custom"
    "python"
  ];

  partsOf = path: filter (part: isString part && part != "") (split "/" path);
  leadsAway =
    path: !isString path || partsOf path == [ ] || elem "." (partsOf path) || elem ".." (partsOf path);

  isTree = value: isAttrs value && value ? outPath;
  isPinned = value: isPath value || isTree value;
  policy = tests.policy or "";
  patchNames = map (
    patch:
    baseNameOf (if isPath patch then toString patch else unsafeDiscardStringContext patch.outPath)
  ) (filter isPinned patches);
  twice = filter (name: length (filter (other: other == name) patchNames) > 1) patchNames;

  problem = is: message: if is then [ message ] else [ ];
  unknown =
    what: names: known:
    let
      strange = filter (name: !(elem name known)) names;
    in
    problem (strange != [ ]) "${what} `${head strange}` is not known${didYouMean (head strange) known}";
in
unknown "the style" [ style ] styles
++ unknown "the phase" (attrNames phases) phaseKeys
++ problem (
  untold != [ ]
) "the phase `${head untold}` is a text, or null where there is nothing to do"
++ problem (
  idle != [ ] && !metapackage
) "the phase `${head idle}` does nothing: say null if there is nothing to do"
++ problem (
  phases ? install && phases.install == null && !metapackage
) "the phase `install` must do something"
++
  problem (testless && policy != "off" && !(phases ? check) && !metapackage)
    "the style ${style} has no tests of its own: write the phase `check`, or say null if there are none, or why tests are off"
++ unknown "the member of tests" (attrNames tests) [
  "policy"
  "reason"
]
++ unknown "the member of meta" (attrNames meta) [
  "description"
  "homepage"
  "licence"
]
++ unknown "the tests policy" [ policy ] [ "on" "off" "known-failures" ]
++ problem (policy != "on" && tests.reason or "" == "") "tests that are `${policy}` need a `reason`"
++ problem (
  verify == [ ] && !metapackage
) "`verify` is empty: promise at least one path, or say `metapackage = true`"
++ problem (verify != [ ] && metapackage) "a metapackage installs nothing, so it promises nothing"
++ problem (any leadsAway verify) "a promise of `verify` is a path in the package, without `.` and `..`"
++ problem (twice != [ ]) "the patch ${head twice} is listed twice"
++ problem (cargoLock != null && style != "cargo") "`cargoLock` is for the style cargo"
++ problem (!(meta ? description && meta ? licence)) "meta needs `description` and `licence`"
++ problem (!all isPinned patches) "a patch must be a file of the tree or a fetched file"
++ problem (
  !all isPinned (attrValues archives)
) "a source must be a fetched file or a file of the tree"
++ problem (archives == { } && style != "custom") "there is no source"
++ problem (!all isTree (buildInputs ++ runtime)) "buildInputs and runtime are lists of packages"
++ problem (
  pending != null && !(isString pending && pending != "")
) "`pending` is the reason why it is not built yet"
