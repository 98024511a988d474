# What reading another distribution's recipes must give. Evaluates to the names of the cases that fail: `[ ]` is good.
#
#     larder eval --strict --file recipes/lib/tests/intergenos.nix
let
  inherit (builtins)
    attrNames
    deepSeq
    elem
    filter
    isString
    tryEval
    ;
  recipes = import ../../. { system = "x86_64-linux"; };
  inherit (recipes) lib;

  tree = lib.intergenos ../../../testdata/intergenos;
  phases = lib.intergenos ../../../testdata/intergenos-phases;
  bad = lib.intergenos ../../../testdata/intergenos-bad;

  # Of packages that share files: whose win.
  ordered =
    over:
    lib.intergenos {
      tree = ../../../testdata/intergenos;
      installedOver = over;
    };

  # Of packages whose files need what nobody has.
  waiving =
    allowedUnmet:
    lib.intergenos {
      tree = ../../../testdata/intergenos;
      inherit allowedUnmet;
    };

  # Where recipes of a tier see others that they do not name.
  seeing =
    visible:
    lib.intergenos {
      tree = ../../../testdata/intergenos;
      inherit visible;
    };

  # Values that are read as that distribution does, and some that are wrong.
  odd = lib.intergenos ../../../testdata/intergenos-odd;

  refused = value: !(tryEval (deepSeq value value)).success;
  names = packages: map (package: package.pname or package.name) packages;
  needs = package: filter (name: elem name (attrNames tree.packages)) (names package.override);

  cases = {
    "every recipe evaluates" = builtins.all (name: isString tree.packages.${name}.drvPath) (
      filter (name: tree.packages.${name}.pending == null) (attrNames tree.packages)
    );
    "packages stand by tier and by name" = tree.core.zlib.drvPath == tree.zlib.drvPath;
    "tiers are those of the directories" =
      attrNames tree.tiers == [
        "base"
        "core"
        "extra"
      ];
    "true and false have the names that YAML 1.1 has for them" =
      odd.old-words.larder_direct_install == "yes"
      && odd.old-words.larder_tests == "off"
      && odd.old-words.larder_unpacked == "";
    "what is merged are sources of their own" =
      map (source: source.name) odd.merging.sources == [
        "merging-1.0.tar.gz"
        "data-1.0.tar.gz"
        "more"
      ]
      && odd.merging.larder_unpacked == "";
    "a patch may be a link to another" =
      odd.patch-by-link.larder_patches
      == "'fix.patch=${builtins.toFile "fix.patch" (builtins.readFile ../../../testdata/intergenos-odd/packages/core/patch-by-link/real.patch)}'";
    "an address may say what its file is called" =
      odd.named.larder_first_source == "named-1.0.tar.gz" && odd.named.larder_unpacked != "";
    "an address may say only in the middle that it gives an archive" =
      odd.download.larder_unpacked != ""
      && odd.tagged.larder_unpacked != ""
      && odd.release-candidate.larder_unpacked != ""
      && odd.plain.larder_unpacked == ""
      && odd.text.larder_unpacked == "";
    "what is no longer to be acquired is not pending" = odd.not-pending.pending == null;
    "files are looked for upwards from the recipe's directory, and nowhere else" =
      builtins.match "'?packages/core/plain/package.yml=[^ ]* '?packages/core/sound/package.yml=[^ ]*" odd.upward.larder_repository
      != null;
    "what is wrong with one recipe, or cannot be read, is that recipe's, and its tier has the others" =
      builtins.all (name: refused odd.${name}.drvPath) [
        "café"
        "dangling-manifest"
        "dangling-patch"
        "dangling-script"
        "directory-manifest"
        "first"
        "latin-manifest"
        "linked-patch"
        "long-name"
        "nameless"
        "nul-manifest"
        "nul-script"
        "null-address"
        "second"
        "versioned"
        "wrong-boolean"
        "wrong-dependencies"
        "wrong-extract"
        "wrong-reason"
        "wrong-tests"
        "wrong-triple"
      ]
      && isString odd.sound.drvPath
      && isString odd.phases.core.drvPath
      && elem "sound" (names odd.phases.core.root);
    "what is waived is told of whom it is" =
      (waiving { zlib = [ "csh" ]; }).zlib.allowedUnmet == [ "csh" ]
      && (waiving { zlib = [ "csh" ]; }).bzip2.drvPath == tree.bzip2.drvPath
      && refused (waiving { zlibb = [ "csh" ]; }).zlib.drvPath;
    "what is waived for all is so beside what one waives" =
      let
        packages = waiving {
          "*" = [ "perl" ];
          zlib = [ "csh" ];
        };
      in
      packages.zlib.allowedUnmet == [
        "perl"
        "csh"
      ]
      && packages.bzip2.allowedUnmet == [ "perl" ];
    "versions are filled in" = (builtins.head tree.zlib.sources).name == "zlib-1.3.1.tar.gz";
    "needs are taken with what they need" =
      needs tree.bash == [
        "ncurses"
        "readline"
      ];
    "what a tier sees is there, with what it needs, and not taken along" =
      let
        packages = seeing { base = [ "readline" ]; };
      in
      needs packages.lz4 == [
        "ncurses"
        "readline"
      ]
      && names packages.lz4.runtime == names tree.lz4.runtime
      && packages.zlib.drvPath == tree.zlib.drvPath;
    "a tier is seen as a whole, and by none of it" =
      let
        packages = seeing {
          base = [ "core" ];
          extra = [
            "core"
            "base"
          ];
        };
      in
      needs packages.lz4 == attrNames tree.core
      && packages.zlib.drvPath == tree.zlib.drvPath
      && needs packages.igos-motd == filter (name: name != "file") (attrNames (tree.core // tree.base))
      && names packages.igos-motd.drvAttrs.runtime == names packages.igos-motd.root;
    "what is wrong with a recipe is nothing to those that see it" =
      let
        packages = lib.intergenos {
          tree = ../../../testdata/intergenos-bad;
          visible.extra = [ "core" ];
        };
        seen = names packages.included.override;
      in
      elem "contested-a" seen && !(elem "no-hash" seen) && !(elem "cycle-a" seen);
    "tiers do not see each other" =
      refused
        (seeing {
          base = [ "core" ];
          core = [ "base" ];
        }).zlib.drvPath;
    "what is seen is of the tree" =
      refused (seeing { base = [ "cor" ]; }).zlib.drvPath
      && refused (seeing { bas = [ "core" ]; }).zlib.drvPath
      && refused (seeing { base = "core"; }).zlib.drvPath
      && refused (seeing { base = [ "base" ]; }).zlib.drvPath;
    "who takes another's place is built with it" =
      needs tree.file-pass2 == [
        "bzip2"
        "file"
        "xz"
        "zlib"
      ];
    "package.yml is in a build where somebody may read it" =
      let
        has = package: (builtins.readDir package.larder_recipe) ? "package.yml";
      in
      has phases.contract && has tree.bzip2 && !(has tree.bash) && !(has tree.m4);
    "what is pending cannot be built" = refused tree.igos-blob.drvPath;
    "what is pending has its description" = tree.igos-blob.meta.licence == "MIT";
    "a phase is the packages of its tier" =
      names tree.phases.base.root == attrNames tree.base && tree.base != { };
    "a phase with wrong recipes fails by itself, beside the others" =
      let
        parts = names bad.phases.core.root;
      in
      isString bad.phases.core.drvPath
      && elem "phase-core-refused" parts
      && elem "dead-flags" parts
      && !(elem "bad-hash" parts);
    "who is installed later wins" =
      let
        inherit (ordered { readline = [ "ncurses" ]; }) bash;
        merged = filter (part: part.name == "readline-8.2-installed") bash.override;
      in
      builtins.length bash.override == 1
      &&
        map (part: names part.root) merged == [
          [
            "ncurses"
            "readline"
          ]
        ]
      && map (part: names part.override) merged == [ [ "readline" ] ];
    "an order of three is one tree in two steps" =
      let
        inherit
          (ordered {
            readline = [ "ncurses" ];
            bash = [ "readline" ];
          })
          phases
          ;
        whole = filter (part: part.name == "bash-5.2.37-installed") phases.core.root;
      in
      map (part: names part.root) whole == [
        [
          "readline-8.2-installed"
          "bash"
        ]
      ]
      && !(elem "ncurses" (names phases.core.root));
    "an order that nobody keeps changes nothing" =
      (ordered { readline = [ "zlib" ]; }).bash.drvPath == tree.bash.drvPath;
    "an order of unknown recipes is refused" =
      refused
        (ordered { readline = [ "ncurse" ]; }).bash.drvPath;
    "an order in a circle is refused" =
      refused
        (ordered {
          readline = [ "ncurses" ];
          ncurses = [ "readline" ];
        }).bash.drvPath;
    "a tree without recipes is refused" = refused (
      lib.intergenos ../../../testdata/intergenos/packages/core
    );
    "a version is what is written" =
      bad.float-version.version == "46.0" && isString bad.float-version.drvPath;
    "an artifact that only build.sh names is there if it is given" =
      let
        given = lib.intergenos {
          tree = ../../../testdata/intergenos-bad;
          artifacts."vendor.tar.xz" = ./append.patch;
          artifacts."other.tar.xz" = ./append.patch;
        };
        has = text: builtins.match ".*${text}=.*" given.undeclared-source.larder_sources != null;
      in
      has "vendor.tar.xz" && !(has "other.tar.xz");
    "an artifact without a hash is refused" = refused bad.artifact.drvPath;
    "an artifact may be given" =
      isString
        (lib.intergenos {
          tree = ../../../testdata/intergenos-bad;
          artifacts."artifact-vendor.tar.xz" = ./append.patch;
        }).artifact.drvPath;
    "an environment is the usual one with more" =
      let
        extended = lib.intergenos {
          tree = ../../../testdata/intergenos;
          environment = usual: { core = usual ++ [ recipes.ncurses ]; };
        };
      in
      names extended.zlib.root == names tree.zlib.root ++ [ "ncurses" ]
      && names extended.lz4.root == names tree.lz4.root;
    "an unknown argument is refused" =
      refused
        (lib.intergenos {
          tree = ../../../testdata/intergenos;
          enviroment = [ ];
        }).zlib.drvPath;
  }
  // builtins.listToAttrs (
    map
      (name: {
        name = "${name} is refused";
        value = refused bad.${name}.drvPath;
      })
      [
        "bad-hash"
        "bad-style"
        "broken-yaml"
        "cycle-a"
        "cycle-c"
        "directory"
        "missing-patch"
        "no-hash"
        "outside-patch"
        "outside-promise"
        "outside-repository"
        "patch-hash"
        "repeated-patch"
        "twice"
        "unknown-dependency"
        "unknown-variable"
      ]
  )
  // builtins.listToAttrs (
    map
      (name: {
        name = "${name} evaluates, whatever is wrong elsewhere";
        value = isString bad.${name}.drvPath;
      })
      [
        "contested-a"
        "dead-flags"
        "runtime-a"
        "runtime-b"
        "stub"
        "unknown-key"
        "local-source"
      ]
  );
in
filter (name: !cases.${name}) (attrNames cases)
