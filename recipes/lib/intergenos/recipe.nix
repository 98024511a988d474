# What one package.yml says: checked, with `${version}` and the like filled in. Members that say something wrong are
# errors only when they are asked for, and then name file and line.
{ didYouMean }:
{
  directory,
  files,
  name,
  tier,
}:

let
  inherit (builtins)
    addErrorContext
    attrNames
    concatStringsSep
    elem
    elemAt
    filter
    fromYAML
    head
    isAttrs
    isBool
    isFloat
    isInt
    isList
    isString
    length
    match
    replaceStrings
    split
    toJSON
    typeOf
    ;

  inherit
    (import ./files.nix {
      inherit directory files;
      place = "${tier}/${name}";
    })
    complain
    complainIn
    contains
    lines
    manifest
    place
    script
    unreadable
    ;

  # Values are shown only if they are short: a list may have aliases of aliases in it.
  shown =
    value:
    if isString value then
      "`${value}`"
    else if isList value || isAttrs value then
      "a ${typeOf value}"
    else if value == null then
      "nothing"
    else
      "the ${typeOf value} ${toJSON value}";

  inQuotes = value: if isInt value || isFloat value || isBool value then ": put it in quotes" else "";

  document =
    let
      value = addErrorContext "while reading ${place}" (fromYAML manifest);
    in
    if isAttrs value then value else throw "${place}: a mapping is expected, not ${shown value}";

  # A list: what is missing or empty has nothing, and one thing alone is a list of it.
  listOf =
    value:
    if value == null || value == "" then
      [ ]
    else if isList value then
      value
    else
      [ value ];

  optional = key: fallback: if document.${key} or null == null then fallback else document.${key};

  # What is no string where one is expected, or not true or false, could not be kept from ending the evaluation of the whole tree
  # where it is used.
  text' =
    key: value:
    if isString value then
      value
    else if isInt value || isFloat value then
      toJSON value
    else
      complain "${key}:" "`${key}` is ${shown value}, not a string";
  optionalText = key: fallback: text' key (optional key fallback);

  # Words for true and false, as YAML 1.1 has them, which that distribution reads.
  isYes =
    value: isBool value && value || isString value && match "yes|Yes|YES|on|On|ON" value != null;
  isNo =
    value: isBool value && !value || isString value && match "no|No|NO|off|Off|OFF" value != null;
  yesOrNo =
    key: value:
    if isYes value then
      true
    else if isNo value then
      false
    else
      complain "${key}:" "`${key}` is ${shown value}, neither true nor false";
  string =
    key:
    let
      value = document.${key} or null;
    in
    if isString value && value != "" then
      value
    else if value == null || value == "" then
      throw "${place}: `${key}` is missing"
    else
      complain "${key}:" "`${key}` is ${shown value}, not a string${inQuotes value}";

  # YAML reads 2.30 as the number 2.3: a version is what is written, in the one line that says so.
  version =
    let
      value = document.version or null;
      written = filter isList (
        map (line: match "version:[[:space:]]+([0-9.]+)[[:space:]]*(#.*)?" line) lines
      );
      digits = head (head written);
    in
    if (isFloat value || isInt value) && length written == 1 && fromYAML digits == value then
      digits
    else
      string "version";
  parts = filter isString (split "[.]" version);
  part = index: if index < length parts then elemAt parts index else "0";
  values = {
    inherit name version;
    version_major = part 0;
    version_minor = part 1;
    version_patch = part 2;
    version_major_minor = "${part 0}.${part 1}";
  };

  # Fills in `${NAME}`.
  fill =
    value:
    if !isString value then
      throw "${place}: ${shown value} stands where a string is expected${inQuotes value}"
    else
      concatStringsSep "" (
        map (
          piece:
          if isString piece then
            piece
          else
            values.${head piece} or (complain (
              "\${" + head piece + "}"
            ) "`\${${head piece}}` is not known${didYouMean (head piece) (attrNames values)}")
        ) (split "\\$\\{([^}]*)}" value)
      );

  partsOf = path: filter (piece: isString piece && piece != "") (split "/" path);

  # Files beside the tree are no business of a recipe.
  inside =
    what: path:
    if builtins.substring 0 1 path == "/" || elem ".." (partsOf path) then
      complain path "${what} `${path}` leads out of the tree"
    else
      path;

  # What is promised is looked for in the package: a path that leads out of it could be anybody's.
  promise =
    value:
    let
      path = fill value;
    in
    if partsOf path == [ ] then
      complain "verify_paths" "the promise `${path}` names no path"
    else if elem "." (partsOf path) || elem ".." (partsOf path) then
      complain path "the promise `${path}` has `.` or `..` in it"
    else
      path;

  sha256Of =
    what: entry:
    let
      value = entry.sha256 or null;
    in
    if value == null || value == "" then
      complain what "${what} has no sha256"
    else if isString value && match "[0-9a-fA-F]{64}" value != null then
      lower value
    else
      complain (
        if isString value then value else what
      ) "the sha256 of ${what} is not 64 hexadecimal digits";
  lower = replaceStrings [ "A" "B" "C" "D" "E" "F" ] [ "a" "b" "c" "d" "e" "f" ];

  lastPart =
    url:
    let
      named = match "[^#]*#/([^/?#]+)" url;
      path = head (filter isString (split "[?#]" url));
      segments = filter (segment: isString segment && segment != "") (split "/" path);
    in
    if named != null then
      head named
    else if segments == [ ] then
      complain "source:" "the address `${url}` names no file"
    else
      elemAt segments (length segments - 1);

  hasArchiveName =
    filename: match ".*[.](tar([.](gz|bz2|xz|zst|lz))?|tgz|tbz2?|txz|tlz|zip)" filename != null;

  # Addresses of one file are told apart by blanks.
  address = value: replaceStrings [ " " ] [ "%20" ] (fill value);

  source =
    entry:
    if !(isAttrs entry && entry.url or null != null) then
      complain "source:" "a source needs `url` and `sha256`"
    else
      rec {
        url = address entry.url;
        urls = [ url ] ++ map address (listOf (entry.fallback_url or null));
        filename =
          if entry.filename or null == null then
            lastPart url
          else
            inside "the file name" (fill entry.filename);
        sha256 = sha256Of filename entry;
        extract = yesOrNo "extract" (entry.extract or true);
        # By its name; some addresses say only before it what they give: /NAME.tar.gz/download, /tar.gz/refs/tags/v1.
        isArchive =
          hasArchiveName filename
          ||
            entry.filename or null == null
            && (
              filename == "download" && hasArchiveName (lastPart (replaceStrings [ "/download" ] [ "" ] url))
              || match ".*/((tar[.]gz|zip)/(refs/(tags|heads)/|v?[0-9])|(tarball|zipball)/)[^/]*" url != null
            );
      };

  patch =
    entry:
    if isString entry then
      {
        file = inside "the patch" (fill entry);
        sha256 = null;
      }
    else if isAttrs entry && entry.file or "" != "" && entry.file != null then
      rec {
        file = inside "the patch" (fill entry.file);
        sha256 = sha256Of file entry;
      }
    else
      complain "patches:" "a patch needs `file` and `sha256`";

  patches =
    let
      all = map patch (listOf (document.patches or null));
      names = map (entry: entry.file) all;
      twice = filter (one: length (filter (other: other == one) names) > 1) names;
    in
    if twice == [ ] then
      all
    else
      complainIn "patches" (head twice) "the patch ${head twice} is listed twice";

  dependencies =
    let
      given = optional "dependencies" { };
    in
    if isAttrs given then
      given
    else
      complain "dependencies:" "`dependencies` is ${shown given}, not lists by kind: build, host and runtime";
  namesOf =
    kind:
    map (
      dependency:
      if isString dependency then
        dependency
      else
        complain "${kind}:" "a dependency is ${shown dependency}, not a name"
    ) (listOf (dependencies.${kind} or null));

  # A file that somebody makes by hand: its name alone, or with its hash.
  artifact =
    entry:
    if isString entry then
      { name = fill entry; }
    else
      {
        name = fill (entry.name or (complain "build_artifacts:" "an artifact needs a name"));
      }
      // (if entry.sha256 or null == null then { } else { sha256 = sha256Of entry.name entry; })
      // {
        urls = map fill (listOf (entry.url or null));
      };

  givenTests =
    let
      given = optional "tests" { };
    in
    if isAttrs given then given else { enabled = yesOrNo "tests" given; };
  tests =
    let
      policy = givenTests.failure_policy or "strict";
    in
    if !(yesOrNo "enabled" (givenTests.enabled or true)) then
      "off"
    else if policy == "known_failures" then
      "known-failures"
    else if policy == "strict" then
      "on"
    else
      complain "failure_policy" "the failure policy is ${shown policy}: strict or known_failures";
in
{
  inherit
    complain
    complainIn
    contains
    directory
    files
    name
    patches
    place
    script
    tests
    tier
    unreadable
    version
    ;
  style =
    let
      style = optional "build_style" "custom";
      known = [
        "autotools"
        "cmake"
        "custom"
        "make"
        "meson"
      ];
    in
    if elem style known then
      style
    else
      complain "build_style" "the build style is ${shown style}${
        if isString style then didYouMean style known else ""
      }";
  release = if isInt (document.release or 1) then document.release or 1 else 1;
  description = optional "description" "";
  homepage = optional "homepage" "";
  license = optional "license" "";
  sources = map source (listOf (document.source or null));
  configureFlags = map fill (listOf (document.configure_flags or null));
  bundled = map fill (listOf (document.bundled_deps or null));
  promises = map promise (listOf (document.verify_paths or null));
  artifacts = map artifact (listOf (document.build_artifacts or null));
  targetTriple = optionalText "target_triple" "";
  supersedes = filter isString (listOf (document.supersedes or null));
  installFunction = optionalText "install_func" "do_install";
  directInstall = yesOrNo "direct_install" (optional "direct_install" false);
  testsReason = text' "reason" (if givenTests.reason or null == null then "" else givenTests.reason);
  isoInclude = yesOrNo "iso_include" (
    optional "iso_include" (
      !(elem tier [
        "extra"
        "toolchain"
      ])
    )
  );
  pending =
    let
      reason = optional "pending_acquisition" null;
    in
    if reason == null || isNo reason then
      null
    else if isString reason && !isYes reason then
      reason
    else
      "its sources are still to be acquired";
  build = namesOf "build" ++ namesOf "host";
  runtime = namesOf "runtime";
}
