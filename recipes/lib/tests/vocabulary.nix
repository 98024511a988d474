# What the pure half of the vocabulary must do. Evaluates to the names of the cases that fail: `[ ]` is good.
#
#     larder eval --strict --file recipes/lib/tests/vocabulary.nix
let
  inherit (builtins)
    any
    attrNames
    attrValues
    elem
    filter
    isString
    tryEval
    ;

  recipes = import ../../. { system = "x86_64-linux"; };
  inherit (recipes) lib tiers;
  inherit (import ../near-names.nix) distance nearNames;

  refused = value: !(tryEval (builtins.deepSeq value value)).success;
  names = map (named: named.pname);

  # A package that is never built: only its arguments matter.
  package =
    arguments:
    lib.mkPackage (
      {
        pname = "sample";
        version = "1";
        style = "custom";
        verify = [ "usr/bin/sample" ];
        meta = {
          description = "Sample";
          licence = "MIT";
        };
      }
      // arguments
      // {
        phases = {
          check = null;
        }
        // arguments.phases or { };
      }
    );
  refusedPackage = arguments: refused (package arguments).drvPath;

  changedOnce =
    (package {
      phases.build = "build";
      phases.install = "install";
      env.KEPT = "1";
      configureFlags = [ "--a" ];
    }).change
      {
        phases.build = "changed";
        env.NEW = "2";
        configureFlags = [ "--b" ];
      };

  leaf = package { pname = "leaf"; };
  middle = package {
    pname = "middle";
    runtime = [ leaf ];
  };
  top = package {
    pname = "top";
    runtime = [
      middle
      leaf
    ];
  };
  user = package {
    pname = "user";
    buildInputs = [
      top
      leaf
    ];
  };

  # One image, which has `top`.
  auditOf =
    core:
    import ../audit.nix {
      foundation = [ "seed" ];
      images = [
        {
          packages = [ top ];
          kernel = leaf;
          stub = leaf;
          initramfs.firstProgram = package {
            pname = "first";
            tools = [ tool ];
          };
        }
      ];
      tiers = {
        seed.compiler = package { pname = "compiler"; };
        inherit core;
      };
    };
  tool = package { pname = "tool"; };

  fetch =
    name:
    lib.fetchSource {
      inherit name;
      version = "1";
      urls = [ "https://example.org/${name}" ];
      hash = "sha256:${builtins.hashString "sha256" name}";
    };
  fetching = package {
    pname = "fetching";
    source = fetch "archive";
    sources.below = fetch "further";
    patches = [
      ./append.patch
      (fetch "patch")
    ];
    tools = [
      (lib.composeDebs {
        name = "debs";
        pins = byName [ pin ];
      })
    ];
    runtime = [
      (package {
        pname = "needed";
        source = fetch "other";
      })
    ];
  };
  compiled = package {
    pname = "compiled";
    style = "cargo";
    source = fetch "program";
    cargoLock = compiledLock;
  };
  compiledLock = ../../extra/fd/Cargo.lock;
  sourceNames = map (source: source.name);
  # Of what the seed is, nothing is said here.
  sourcesOf =
    trees:
    let
      ofSeed = map keyOf (import ../sources.nix [ recipes.seed ]);
      keyOf = entry: "${entry.name} ${entry.source.name}";
    in
    filter (line: !elem line ofSeed) (map keyOf (import ../sources.nix trees));
  # What a tree of texts has in its one file.
  textOf =
    file: tree: (builtins.fromJSON (builtins.unsafeDiscardStringContext tree.entries)).${file}.text;
  linesOf = text: filter (line: isString line && line != "") (builtins.split "\n" text);

  pin = {
    name = "a";
    version = "1";
    pool = "pool/main/a/a/a_1.deb";
    sha256 = "ba4f88f73dbc3ae9055f3c20f4523bfdbaf1ad13ff95e258924f77d20b4fbedf";
    size = 1;
  };
  byName = lib.pinsByName "pins.json";

  cases = {
    "a plain package evaluates" = isString (package { }).drvPath;
    "an unknown argument is refused" = refused (package {
      configureflags = [ ];
    });
    "an unknown style is refused" = refusedPackage { style = "autotool"; };
    "an unknown phase is refused" = refusedPackage { phases.postInstall = ""; };
    "a phase that does nothing is refused" =
      builtins.all (text: refusedPackage { phases.build = text; })
        [
          ""
          ":"
          " true ;\n# nothing\n"
        ];
    "a phase that does something is not" =
      isString
        (package { phases.build = "true && make\n:"; }).drvPath;
    "a phase that is null does nothing" =
      (package { phases.build = null; }).drvPath == (package { }).drvPath
      &&
        (package {
          style = "make";
          source = lib.fetchSource {
            name = "a";
            version = "1";
            urls = [ "https://example.org/a" ];
            hash = "sha256:0000000000000000000000000000000000000000000000000000000000000000";
          };
          phases.build = null;
        }).larder_phase_build == "";
    "a package that installs nothing is refused" = refusedPackage { phases.install = null; };
    "a phase is a text" = refusedPackage { phases.build = [ "make" ]; };
    "a metapackage may do nothing" =
      isString
        (package {
          metapackage = true;
          verify = [ ];
          phases.install = "";
        }).drvPath;
    "a style without tests needs the phase" =
      refused
        (lib.mkPackage {
          pname = "sample";
          version = "1";
          style = "custom";
          verify = [ "usr/bin/sample" ];
          phases.install = "make install";
          meta = {
            description = "Sample";
            licence = "MIT";
          };
        }).drvPath;
    "a promise is in the package" = builtins.all (path: refusedPackage { verify = [ path ]; }) [
      ""
      "/"
      "../../usr/bin/bash"
      "usr/./bin"
    ];
    "an unknown member of tests is refused" = refusedPackage {
      tests = {
        policy = "on";
        why = "";
      };
    };
    "an unknown tests policy is refused" = refusedPackage { tests.policy = "maybe"; };
    "tests that are off need a reason" = refusedPackage { tests.policy = "off"; };
    "tests may be off with a reason" =
      isString
        (package {
          tests = {
            policy = "off";
            reason = "slow";
          };
        }).drvPath;
    "an empty promise is refused" = refusedPackage { verify = [ ]; };
    "an unhashed source is refused" = refusedPackage { source = "https://example.org/sample.tar.gz"; };
    "an unhashed patch is refused" = refusedPackage { patches = [ "https://example.org/fix.patch" ]; };
    "a build input must be a package" = refusedPackage { buildInputs = [ "zlib" ]; };
    "a style that builds needs a source" = refusedPackage { style = "make"; };
    "a patch that is listed twice is refused" = refusedPackage {
      patches = [
        ./append.patch
        ./append.patch
      ];
    };
    "a metapackage promises nothing" =
      isString
        (package {
          metapackage = true;
          verify = [ ];
        }).drvPath;
    "a metapackage with promises is refused" = refusedPackage { metapackage = true; };
    "a lock file is for cargo" = refusedPackage { cargoLock = ./Cargo.lock; };
    "data for images are members of a package" =
      (package { owners."usr/bin/su".mode = "4755"; }).owners == { "usr/bin/su".mode = "4755"; };
    "a changed package keeps what is not changed" =
      changedOnce.version == "1" && changedOnce.larder_promises == "'usr/bin/sample'";
    "changed phases and variables are merged" =
      [
        changedOnce.larder_phase_build
        changedOnce.larder_phase_install
        changedOnce.KEPT
        changedOnce.NEW
      ] == [
        "changed"
        "install"
        "1"
        "2"
      ];
    "changed lists and sources are replaced" = changedOnce.larder_configure_flags == "'--b'";
    "a change of a change is both" =
      let
        twice = changedOnce.change { env.NEW = "3"; };
      in
      twice.NEW == "3" && twice.larder_phase_build == "changed";
    "an unknown argument of a change is refused" =
      refused
        ((package { }).change { phase = { }; }).drvPath;
    "an orphan is in no image and builds nothing that is" =
      auditOf {
        inherit
          leaf
          middle
          tool
          top
          user
          ;
        waits = package { pending = "needs a patch"; };
      } == {
        wrong = [ ];
        orphans = [ "user" ];
      };
    "all recipes that are wrong are told" =
      (auditOf {
        inherit leaf;
        stub = package { verify = [ ]; };
        typing = throw "recipes/core/typing asks for `zlob`";
      }).wrong == [
        "stub"
        "typing"
      ];
    "a pending package cannot be built" = refusedPackage { pending = "needs a patch"; };
    "a pending package has its description" =
      (package { pending = "needs a patch"; }).meta.licence == "MIT";
    "all that is fetched for a package is told" =
      sourceNames fetching.sources == [
        "archive"
        "further"
        "patch"
      ]
      && (package { }).sources == [ ];
    "the crates of a lock file are sources" =
      let
        locked = (builtins.fromTOML (builtins.readFile compiledLock)).package;
      in
      sourceNames compiled.sources == [ "program" ]
      ++ map (crate: "${crate.name}-${crate.version}.crate") (filter (crate: crate ? checksum) locked);
    "sources are also those of what is built with and needed" =
      sourcesOf [ fetching ] == [
        "a-1 a_1.deb"
        "fetching archive"
        "fetching further"
        "fetching patch"
        "needed other"
      ];
    "a source that two trees have is told once of each" =
      sourcesOf [
        fetching
        fetching
        (fetching.change { pname = "changed"; })
      ] == [
        "a-1 a_1.deb"
        "changed archive"
        "changed further"
        "changed patch"
        "fetching archive"
        "fetching further"
        "fetching patch"
        "needed other"
      ];
    "further outputs are attributes" =
      isString
        (package { outputs.dev = [ "usr/include" ]; }).dev.outPath;

    "a source needs a whole hash" = refused (
      lib.fetchSource {
        name = "a";
        version = "1";
        urls = [ "https://example.org/a" ];
        hash = "sha256:12";
      }
    );
    "a source needs a url" = refused (
      lib.fetchSource {
        name = "a";
        version = "1";
        urls = [ ];
        hash = "sha256-AA==";
      }
    );

    "pins are found by name" = byName [ pin ] == { a = pin; };
    "a name pinned twice is refused" = refused (byName [
      pin
      pin
    ]);
    "a pin without a hash is refused" = refused (byName [ (removeAttrs pin [ "sha256" ]) ]);
    "a pin with a bad hash is refused" = refused (byName [ (pin // { sha256 = "12"; }) ]);
    "the seed is for one system" = refused (import ../../. { system = "aarch64-linux"; }).hello.drvPath;

    "a closure has every package once" =
      names (
        lib.closure [
          top
          leaf
        ]
      ) == [
        "top"
        "leaf"
        "middle"
      ];
    "a closure of nothing is empty" = lib.closure [ ] == [ ];
    "the root is the seed and the closure" =
      map (tree: tree.pname or tree.name) user.root == [
        "seed"
        "top"
        "leaf"
        "middle"
      ];
    "build inputs win over the seed" =
      names user.override == [
        "top"
        "leaf"
        "middle"
      ];

    "the distance counts edits" =
      map (distance "zlib") [
        "zlib"
        "zilb"
        "xlib"
        "zlibs"
        ""
      ] == [
        0
        2
        1
        1
        4
      ];
    "near names come nearest first" =
      nearNames "configureflags" [
        "makeFlags"
        "configureFlags"
      ] == [ "configureFlags" ];
    "no name is near to a strange one" =
      nearNames "qqqqqq" [
        "bash"
        "hello"
      ] == [ ];

    "words survive the shell" =
      lib.shell.words [
        "a b"
        "it's"
      ] == "'a b' 'it'\\''s'";

    "sources of an image are also those of its compiler and of what starts it" =
      let
        text = linesOf (textOf "sources" recipes.system.phases.verify-sources);
        has = name: file: any (line: builtins.match "${name} .*-${file}.*" line != null) text;
      in
      has "zlib" "zlib_"
      && has "linux" "linux_"
      && has "efi-stub" "systemd_"
      && has "efi-stub" "gnu-efi_"
      && has "cross-gcc" "gcc-14_"
      && has "cross-gcc" "mpfr4_"
      && has "cross-binutils" "binutils_"
      && has "musl" "musl_"
      && has "fd" "fd-find-"
      && has "fd" "regex-"
      && has "gcc-12-[^ ]*" "gcc-12_";
    "licences are also those of what starts an image" =
      let
        text = linesOf (textOf "licences" recipes.small.checks.licences);
        has = name: any (line: builtins.match ".+ ${name} [^ ]+" line != null) text;
      in
      has "busybox" && has "linux-small" && has "efi-stub" && has "verified-init";
    "no tree of the seed is forgotten where code of the seed is looked for" =
      let
        inherit (recipes.small.checks.seedFreedom) beside seeds;
      in
      builtins.all (tree: elem "${tree}" seeds) [
        recipes.cxx
        recipes.gcc-libs
        recipes.libc
        recipes.rust
        recipes.seed
      ]
      && builtins.length seeds == builtins.length (attrNames tiers.seed)
      && builtins.all (tree: elem "${tree}" beside) [
        recipes.small.linux-small
        recipes.small.efi-stub
        recipes.small.verified-init
      ];
    "phases of the whole system stand beside those of the tiers" =
      recipes.phases ? iso
      && recipes.phases ? validate
      && recipes.phases ? verify-sources
      && recipes.phases.iso.drvPath == recipes.images.iso.drvPath
      && recipes.phases.verify-sources.drvPath == recipes.system.phases.verify-sources.drvPath;
    "a phase that has the name of a tier is the tier" = builtins.all (
      tier:
      map (tree: tree.outPath) recipes.phases.${tier}.root
      == map (tree: tree.outPath) (filter (tree: tree.pending or null == null) (attrValues tiers.${tier}))
    ) (attrNames tiers);

    "every package is in a tier" =
      filter (
        name:
        !(elem name [
          "audit"
          "checks"
          "images"
          "lib"
          "machine"
          "phases"
          "small"
          "system"
          "tiers"
        ])
        && !(any (tier: tier ? ${name}) (attrValues tiers))
      ) (attrNames recipes) == [ ];
    "every recipe evaluates" = builtins.all (name: isString tiers.core.${name}.drvPath) (
      attrNames tiers.core
    );
  };
in
filter (name: !cases.${name}) (attrNames cases)
