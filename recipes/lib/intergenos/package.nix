# One recipe as a derivation. Its root is the environment of its tier and the packages it names, with all that those
# name; these win over the environment.
{
  settle,
  shell,
  system,
  unpack,
}:
{
  recipe,
  root,
  runtime,
  seen, # those of the root that it may need at run time without taking them along
  environment,
  installedOver, # names of recipes
  allowedUnmet, # what its files need and need not find
  artifacts,
  patchDirectory,
  repository,
  check,
  postInstall,
}:

let
  inherit (builtins)
    attrNames
    concatStringsSep
    elemAt
    filter
    hashFile
    head
    isList
    isString
    match
    pathExists
    readDir
    readFile
    readFileKind
    readFileType
    replaceStrings
    split
    toFile
    ;
  inherit (recipe)
    complain
    complainIn
    name
    place
    tier
    version
    ;

  # Store names know letters, digits and `+-._?=`, and begin with no dot.
  storeName =
    text:
    let
      plain = concatStringsSep "-" (filter isString (split "[^A-Za-z0-9+._?=-]+" text));
    in
    if text == "" || builtins.stringLength text > 200 then
      complain text "`${text}` is no name of a file: it has ${toString (builtins.stringLength text)} bytes"
    else if match "[.].*" plain != null then
      "_${plain}"
    else
      plain;

  fetch =
    {
      filename,
      sha256,
      urls,
      ...
    }:
    derivation {
      inherit system;
      name = storeName filename;
      builder = "builtin:fetch";
      urls = concatStringsSep " " urls;
      outputHash = "sha256:${sha256}";
      outputHashMode = "flat";
    };

  sources = map (source: source // { fetched = fetch source; }) recipe.sources;
  first = if sources == [ ] then null else head sources;
  unpacked =
    if first == null || !first.extract || !first.isArchive then
      null
    else
      unpack {
        name = storeName "${name}-source";
        src = first.fetched;
      };

  # A patch lies with all others, beside the recipe, or among the sources.
  patchFile =
    patch:
    let
      places = filter pathExists [
        (patchDirectory + "/${patch.file}")
        (recipe.directory + "/${patch.file}")
        (recipe.directory + "/patches/${patch.file}")
      ];
      fetched = filter (source: source.filename == patch.file) sources;
      found = head places;
      wrong = recipe.unreadable found;
      got = hashFile "sha256" found;
    in
    if fetched != [ ] then
      (head fetched).fetched
    else if places == [ ] then
      complainIn "patches" patch.file
        "the patch ${patch.file} is neither in ${baseNameOf (toString patchDirectory)} nor beside the recipe"
    else if wrong != null then
      complainIn "patches" patch.file "the patch ${patch.file} ${wrong}"
    else if patch.sha256 != null && got != patch.sha256 then
      complain patch.sha256 "the patch ${patch.file} has another sha256: ${got}"
    else if readFileType found != "symlink" then
      found
    else if readFileKind found == "text" then
      # As a link it would lead nowhere.
      toFile (storeName patch.file) (readFile found)
    else
      complainIn "patches" patch.file
        "the patch ${patch.file} is a link to a compressed one: put that there itself";

  # Those of some file names that build.sh has where it reads of IGOS_SOURCES or IGOS_PATCHES, without package.yml saying so.
  mentionedOf =
    names:
    if recipe.script == null || match ".*IGOS_(PATCHES|SOURCES).*" (oneLine recipe.script) == null then
      [ ]
    else
      let
        script =
          replaceStrings
            [ "\${PKG_NAME}" "$PKG_NAME" "\${PKG_VERSION}" "$PKG_VERSION" "\${version}" "$version" ]
            [
              name
              name
              version
              version
              version
              version
            ]
            recipe.script;
      in
      filter (file: recipe.contains file script) names;
  oneLine = replaceStrings [ "\n" ] [ " " ];
  mentioned = mentionedOf (
    if pathExists patchDirectory then attrNames (readDir patchDirectory) else [ ]
  );
  mentionedArtifacts = filter (
    file: !(builtins.any (artifact: artifact.name == file) recipe.artifacts)
  ) (mentionedOf (attrNames artifacts));

  declaredPatches = map (patch: "${patch.file}=${patchFile patch}") recipe.patches;
  otherPatches = map (file: "${file}=${patchDirectory + "/${file}"}") mentioned;

  # What build.sh reads of the distribution's own tree: by its place, or from the recipe's directory upwards.
  repositoryPaths =
    if recipe.script == null then
      [ ]
    else
      attrNames (
        builtins.listToAttrs (
          map
            (path: {
              name = path;
              value = null;
            })
            (filter (path: pathExists (repository + "/${path}")) (map inRepository named ++ inTree ++ upwards))
        )
      );
  matches = pattern: filter isList (split pattern recipe.script);
  named = map head (matches "/mnt/intergenos/([A-Za-z0-9_+.-]+(/[A-Za-z0-9_+.-]*[A-Za-z0-9_+-])*)");
  # In the tier toolchain it is the system that is being made.
  inTree =
    if tier == "toolchain" then
      [ ]
    else
      filter (path: !(builtins.elem ".." (split "/" path))) (
        map (groups: elemAt groups 1) (
          matches "([$]IGOS|[$][{]IGOS[}])/([A-Za-z0-9_+.-]+(/[A-Za-z0-9_+.-]*[A-Za-z0-9_+-])*)"
        )
      );
  upwards =
    let
      # Of the recipe's directory, packages/TIER/NAME.
      parents = {
        "/.." = "packages/${tier}/";
        "/../.." = "packages/";
        "/../../.." = "";
      };
    in
    filter (path: !(builtins.elem ".." (split "/" path))) (
      map (groups: parents.${elemAt groups 1} + elemAt groups 3) (
        filter (groups: parents ? ${elemAt groups 1}) (
          # Behind a variable or a command: an absolute path is none of the recipe's directory.
          matches
            "([$][A-Za-z_][A-Za-z0-9_]*|[})\"])((/[.][.])+)/([A-Za-z0-9_+-][A-Za-z0-9_+.-]*(/[A-Za-z0-9_+.-]*[A-Za-z0-9_+-])*)"
        )
      )
    );
  inRepository =
    path:
    if builtins.elem ".." (split "/" path) then
      throw "${place}: build.sh names /mnt/intergenos/${path}, which leads out of the tree"
    else
      path;
  # By its last name, for store names begin with no dot; where it lies is said beside it.
  repositoryFile =
    path:
    builtins.path {
      path = repository + "/${path}";
      name = storeName (baseNameOf path);
    };

  artifactFile =
    artifact:
    if artifacts ? ${artifact.name} then
      "${artifact.name}=${artifacts.${artifact.name}}"
    else if artifact ? sha256 then
      "${artifact.name}=${
        fetch {
          filename = artifact.name;
          inherit (artifact) sha256;
          urls = if artifact.urls == [ ] then [ "mirror://artifacts/${artifact.name}" ] else artifact.urls;
        }
      }"
    else
      complainIn "build_artifacts" artifact.name
        "the build artifact ${artifact.name} has no sha256; give the file: lib.intergenos { artifacts.\"${artifact.name}\" = …; }";

  # What package.yml says reaches a build as variables, each by itself, so a new need at run time, or another description,
  # builds nothing anew. The file is there for who reads it: a line of build.sh that names it and does not merely hand it to
  # pkg_run_tests, which here does not look at it, or perhaps a file beside.
  readsManifest =
    builtins.any (file: file != "package.yml" && file != "build.sh") (attrNames recipe.files)
    || builtins.any (
      line:
      isString line && recipe.contains ".yml" line && match "[[:space:]]*pkg_run_tests .*" line == null
    ) (split "\n" (if recipe.script == null then "" else recipe.script));
  directory = builtins.path {
    path = recipe.directory;
    name = storeName "${name}-recipe";
    # Pipes and sockets, which somebody left there, cannot be in a tree.
    filter = path: type: type != "unknown" && (readsManifest || baseNameOf path != "package.yml");
  };

  # Where build.sh is a link to that of another recipe, it would lead nowhere.
  linkedScript =
    if recipe.files."build.sh" or null == "symlink" then
      { larder_linked_script = builtins.toFile "build.sh" recipe.script; }
    else
      { };

  words = list: shell.words list;
  needed = settle root;
  # Packages that waive nothing stay what they were without this argument.
  waived = if allowedUnmet == [ ] then { } else { inherit allowedUnmet; };
  drv = derivation (
    waived
    // linkedScript
    // {
      name = storeName "${name}-${version}";
      inherit system;
      builder = "/usr/bin/bash";
      args = [ "${./phases.sh}" ];
      root = environment ++ needed;
      override = needed;
      runtime = environment ++ runtime ++ seen;
      larder_package = "${name} ${version}";
      larder_name = name;
      larder_version = version;
      larder_tier = tier;
      larder_target = recipe.targetTriple;
      larder_style = recipe.style;
      larder_recipe = directory;
      larder_phase_script = "${./phase.sh}";
      larder_deferred = "${./deferred.sh}";
      larder_stand_in = "${./stand-in.sh}";
      larder_processors = "${../processors.sh}";
      larder_promise_check = "${../promises.sh}";
      larder_unpacked = if unpacked == null then "" else unpacked;
      larder_sources = words (
        map (source: "${source.filename}=${source.fetched}") sources
        ++ map artifactFile recipe.artifacts
        ++ map (file: "${file}=${artifacts.${file}}") mentionedArtifacts
      );
      larder_first_source = if first == null then "" else first.filename;
      larder_patches = words declaredPatches;
      larder_other_patches = words otherPatches;
      larder_repository = words (map (path: "${path}=${repositoryFile path}") repositoryPaths);
      larder_bundled = words recipe.bundled;
      # A build.sh says by itself how it configures.
      larder_configure_flags = words (if recipe.script == null then recipe.configureFlags else [ ]);
      larder_promises = words recipe.promises;
      larder_install_function = recipe.installFunction;
      larder_direct_install = if recipe.directInstall then "yes" else "no";
      larder_post_install = if postInstall then "yes" else "no";
      larder_tests = if check then recipe.tests else "off";
      larder_tests_reason = if check then recipe.testsReason else "tests are not asked for";
    }
  );

  description = {
    pname = name;
    inherit installedOver version tier;
    inherit (recipe) isoInclude pending supersedes;
    # What goes with it into an image: packages of the tree, and nothing of what it is built with. What only root can do is
    # noted in usr/share/larder/deferred.
    inherit runtime;
    deferring = true;
    sources = map (source: source.fetched) sources;
    meta = {
      inherit (recipe) description homepage;
      licence = recipe.license;
    };
  };
  postponed = throw "${place}: ${name} ${version} is pending: ${recipe.pending}";
in
if recipe.pending == null then
  drv // description
else
  description
  // {
    type = "derivation";
    name = storeName "${name}-${version}";
    drvPath = postponed;
    outPath = postponed;
  }
