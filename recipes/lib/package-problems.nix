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
