# Builds that show what the phases of another distribution's recipes do; used like builds.nix beside this file.
{
  system ? builtins.currentSystem or "x86_64-linux",
}:

let
  recipes = import ../../. { inherit system; };
  inherit (recipes) lib seed;
  inherit (lib) write;
  inherit (builtins) mapAttrs;
  tree = lib.intergenos {
    tree = ../../../testdata/intergenos-phases;
    # What these need, so that nothing more has to be fetched.
    environment = [ seed ];
    installedOver.catalogued = [ "catalogue" ];
  };
  # With what of the usual environment is written in Python.
  withPython = lib.intergenos {
    tree = ../../../testdata/intergenos-phases;
    environment = usual: [ seed ] ++ builtins.filter (part: part.name == "python-tools") usual;
  };
  # With cmake, too.
  withCmake = lib.intergenos {
    tree = ../../../testdata/intergenos-phases;
    environment =
      usual:
      [ seed ] ++ builtins.filter (part: part.name == "python-tools" || part.name == "cmake") usual;
  };
  # Where nothing is said of whose files win.
  unordered = lib.intergenos {
    tree = ../../../testdata/intergenos-phases;
    environment = [ seed ];
  };

  # That a package was built, and this can be said of its files in `/`.
  shows = name: showsOf name [ tree.${name} ];
  showsOf =
    name: tools: test:
    lib.mkPackage {
      pname = "shows-${name}";
      version = "1";
      style = "custom";
      inherit tools;
      phases.check = test;
      phases.install = ''install -D -m 644 /dev/null "$out/usr/share/shown"'';
      verify = [ "usr/share/shown" ];
      meta = {
        description = "What came of ${name}";
        licence = "MIT";
      };
    };

  # What an image makes of what is deferred.
  imageOf =
    arguments:
    recipes.small.lib.image (
      {
        name = "deferred";
        kernel = recipes.small.linux-small;
        firstProgram = recipes.small.verified-init;
        stub = recipes.small.efi-stub;
        commandLines.live = "quiet";
      }
      // arguments
    );
  root = {
    uid = 0;
    group = "root";
  };
  image = imageOf {
    packages = [
      tree.root-acts
      tree.after
    ];
    users = { inherit root; };
    groups.root.gid = 0;
    groups.after.members = [ "sample" ];
    groups.after.gid = 40;
    owners."usr/share/root-acts/file".mode = "0755";
  };

  # A package with nothing but notes, and a file that they are of.
  noting =
    name: notes:
    lib.write {
      inherit name;
      entries = {
        "usr/share/${name}/file".text = "";
        "usr/share/larder/deferred/${name}".text = notes;
      };
    }
    // {
      pname = name;
      deferring = true;
    };
  # The image says users and groups as well: who is in whose group, and which number is taken, is known to both.
  joined = imageOf {
    packages = [
      (noting "joins" ''
        run groupadd -g 200 web
        run groupadd -r made
        run useradd -r -g made -G render maker
        run usermod -aG render web
        mode 2750 usr/share/joins/file
        owner maker:render usr/share/joins/file
      '')
    ];
    users = {
      inherit root;
      web = {
        uid = 999;
        group = "web";
      };
    };
    groups.root.gid = 0;
    groups.render.gid = 60;
  };

  shell = seed // {
    pname = "seed";
  };
  script = text: {
    text = "#!/usr/bin/bash\n${text}\n";
    executable = true;
  };
  programs =
    entries:
    write {
      name = "programs";
      inherit entries;
    }
    // {
      pname = "programs";
    };
  # Programs of the image that make indexes of it, and what asks for them.
  indexed = imageOf {
    packages = [
      shell
      (noting "asks" ''
        run update-mime-database /usr/share/asks
        run gio-querymodules /nowhere
        run depmod -a
        run ssh-keygen -A
        run systemctl daemon-reload
        run systemctl preset --now some.service
        run gone
      '')
      (noting "asks-again" "run update-mime-database /usr/share/asks\nrun depmod -a 2\n")
      (programs {
        "usr/lib/modules/1/kernel".directory = true;
        "usr/lib/modules/2/kernel".directory = true;
        "usr/bin/update-mime-database" = script ''
          set -e
          files=$(ls $1)
          echo "$files" >$1/index
          echo x >>/usr/share/once
        '';
        "usr/bin/systemctl" = script "echo $* >>/etc/systemctl";
        "usr/bin/gio-querymodules" = script "false";
        "usr/sbin/depmod" = script "echo $1 $2 >>/usr/lib/modules/$2/modules.dep";
      })
    ];
    users = { inherit root; };
    groups.root.gid = 0;
  };

  says = {
    strict-again = "build.sh:8: exit status 1 from: false";
    strict-build = "build.sh:5: exit status 1 from: false";
    strict-make = "build.sh:5: exit status 2 from: make -j2 nothing";
    strict-function = "build.sh:5: exit status 1 from: false";
    strict-install = "cp: cannot stat 'missing'";
    after-impossible = "it asks for what is impossible while a package is built";
    doubled = "files lie in $DESTDIR/$DESTDIR";
    ends-early = "build.sh ended while it was read";
    empty = "phase finish failed: nothing was installed: the output is empty";
    outside-fails = "build.sh:4: exit status 1 from: test ! -e";
    past-staging = "build.sh:10: exit status 1 from: touch /var/lib/past-staging/below/file";
    promise = "promised, but not installed: usr/share/promise/file";
    promise-elsewhere = "the promise usr/share/promise-elsewhere/bash leads out of the package, to /usr/bin";
    failing-check = "phase check failed: it ended with status 1";
  };
in
{
  good = {
    inherit (tree)
      contract
      fresh
      cross-tool-pass2
      jobs
      known-failures
      lenient
      needs-both
      other-installer
      outside
      patched
      scratch
      tests-off
      ;
    inherit (withCmake) counted;
    accounts = shows "accounts" ''
      diff - /usr/share/larder/deferred/accounts <<'DEFERRED'
      run groupadd -g 19 kept
      DEFERRED
    '';
    toolchain = shows "cross-tool" ''
      test "$(/mnt/intergenos/tools/bin/cross-tool)" = cross
      test -f /mnt/intergenos/usr/lib/library
      test "$(cat /mnt/intergenos/tools/share/late)" = late
    '';
    python-tools = showsOf "python-tools" [ withPython.python-tools ] ''
      test ! -e /usr/lib/python3.11
    '';
    phase = unordered.phases.toolchain;
    after = shows "after" ''
      test "$(cat /usr/share/after/file)" = changed
      test ! -e /usr/share/after/removed
      test "$(cat /etc/after/made)" = made
      test "$(readlink /etc/systemd/system/multi-user.target.wants/after.service)" = /usr/lib/systemd/system/after.service
      test "$(readlink /etc/systemd/system/sockets.target.wants/after.socket)" = /usr/lib/systemd/system/after.socket
      diff - /usr/share/larder/deferred/after <<'DEFERRED'
      run groupadd -r after
      run ldconfig
      mode 4750 etc/after/made
      owner root:after etc/after/made
      DEFERRED
    '';
    directories = shows "directories" ''
      test -d /var/lib/directories
      test -d /var/lib/directories-made/below
      test ! -e /var/lib/gone
    '';
    image = shows "after" ''
      grep -x 'sample:x:18:18:Sample User:/home/sample:/bin/sh' ${image.files}/etc/passwd
      diff - ${image.files}/etc/group <<'GROUPS'
      root:x:0:
      sample:x:18:
      after:x:40:sample
      GROUPS
      has() { grep -q "^$1 " ${image.manifest}/manifest || { echo "no $1" >&2; cat ${image.manifest}/manifest >&2; false; }; }
      has '/etc/after/made file 4750 0 40'
      has '/usr/bin/old-place file 4755 0 18'
      has '/usr/share/root-acts directory 0755 18 0'
      has '/usr/share/root-acts/a blank file 0640 0 18'
      has '/usr/share/root-acts/file file 0755 18 18'
      has '/usr/share/root-acts/first directory 1777 0 0'
      has '/usr/share/root-acts/five-digits file 4711 0 0'
      test ! -e ${image.files}/usr/bin/gcc
    '';
    joined = showsOf "joined" [ ] ''
      diff - ${joined.files}/etc/group <<'GROUPS'
      root:x:0:
      render:x:60:maker,web
      web:x:200:
      made:x:999:
      GROUPS
      grep -x 'web:x:999:200:web:/:/usr/bin/false' ${joined.files}/etc/passwd
      grep -x 'maker:x:998:999::/home/maker:/bin/sh' ${joined.files}/etc/passwd
      grep '^/usr/share/joins/file file 2750 998 60 ' ${joined.manifest}/manifest
    '';
    indexed = showsOf "indexed" [ ] ''
      diff - ${indexed.files}/usr/share/asks/index <<< file
      diff - ${indexed.files}/usr/share/once <<< x
      diff - ${indexed.files}/usr/lib/modules/1/modules.dep <<< '-a 1'
      diff - ${indexed.files}/usr/lib/modules/2/modules.dep <<< '-a 2'
      diff - ${indexed.files}/etc/systemctl <<< '--root=/ preset some.service'
      test ! -e ${indexed.files}/etc/ssh
      grep '^/usr/share/asks/index file 0644 0 0 ' ${indexed.manifest}/manifest
    '';
    linked = shows "linked" ''test "$(cat /usr/share/linked/text) $(cat /usr/share/linked/shared)" = "of upwards shared"'';
    direct = shows "direct" ''test "$(cat /usr/share/direct/file)" = straight'';
    old-places = shows "contract" "test -f /usr/lib/old-place";
    root-acts = shows "root-acts" ''
      test -x /usr/share/root-acts/file
      test ! -u /usr/share/root-acts/file
      diff - /usr/share/larder/deferred/root-acts <<'DEFERRED'
      run groupadd -g 18 sample
      run useradd -g sample -u 18 -c 'Sample User' sample
      mode 640 'usr/share/root-acts/a blank'
      owner root:sample 'usr/share/root-acts/a blank'
      mode 4755 usr/bin/old-place
      owner root:sample usr/bin/old-place
      owner sample:root usr/share/root-acts
      mode 2755 usr/share/root-acts/as-other
      owner root:sample usr/share/root-acts/as-other
      mode 2755 usr/share/root-acts/as-sample
      owner root:sample usr/share/root-acts/as-sample
      mode 6755 usr/share/root-acts/both
      mode 4755 usr/share/root-acts/clustered
      mode 6755 usr/share/root-acts/file
      owner sample:sample usr/share/root-acts/file
      mode 1777 usr/share/root-acts/first
      mode 4711 usr/share/root-acts/five-digits
      mode 4755 usr/share/root-acts/one-of-both
      mode 700 usr/share/root-acts/private
      mode 1777 usr/share/root-acts/second
      DEFERRED
    '';
  };
  bad =
    mapAttrs (name: text: {
      package = tree.${name};
      says = text;
    }) says
    // {
      whose-file = {
        package = unordered.needs-both;
        says = "/etc/catalogue/list is different in";
      };
      modules = {
        package =
          (imageOf {
            packages = [
              shell
              (noting "asks" "run depmod 1\n")
              (programs { "usr/sbin/depmod" = script "exit 3"; })
            ];
            users = { inherit root; };
            groups.root.gid = 0;
          }).files;
        says = "indexes: asks asks for depmod 1, which ended with 3";
      };
      unknown-group = {
        package =
          (imageOf {
            packages = [ (noting "joins" "run usermod -aG nowhere root\n") ];
            users = { inherit root; };
            groups.root.gid = 0;
          }).files;
        says = "the package joins asks for `run usermod -aG nowhere root`: the group nowhere, which there is not";
      };
      shared-number = {
        package =
          (imageOf {
            packages = [ (noting "twins" "run useradd -u 0 toor\n") ];
            users = { inherit root; };
            groups.root.gid = 0;
          }).files;
        says = "the users root and toor have the number 0";
      };
    };
}
