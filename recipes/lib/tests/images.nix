# Images that must fail, with the step that sees it and what it must say.
#
#     larder build recipes/lib/tests/images.nix#bad.NAME.step      must fail, and what it says must have `says`
{
  system ? builtins.currentSystem or "x86_64-linux",
}:

let
  inherit ((import ../../. { inherit system; }).small)
    cxx
    efi-stub
    filesystem
    lib
    linux-small
    verified-init
    ;
  inherit (lib) image write;

  root = {
    uid = 0;
    group = "root";
  };
  sample =
    arguments:
    image (
      {
        name = "sample";
        packages = [ filesystem ];
        kernel = linux-small;
        firstProgram = verified-init;
        stub = efi-stub;
        commandLines.live = "quiet";
        users = { inherit root; };
        groups.root.gid = 0;
      }
      // arguments
    );

  tool =
    name: text:
    write {
      inherit name;
      entries."usr/bin/tool".text = text;
    };
  # A file of trees of the seed under another name.
  copied =
    tools: from: to:
    lib.mkPackage {
      pname = "copied";
      version = "1";
      style = "custom";
      inherit tools;
      env.allowedUnmet = "*";
      phases.check = null;
      phases.install = ''install -D /${from} "$out/${to}"'';
      strip = false;
      verify = [ to ];
      meta = {
        description = "A file of the seed under another name";
        licence = "GPL-3.0-or-later";
      };
    };
in
{
  bad = {
    twoOwners = {
      step =
        (sample {
          packages = [
            filesystem
            (tool "first" "one")
            (tool "second" "two")
          ];
        }).files;
      says = "/usr/bin/tool is different in";
    };
    absentPath = {
      step = (sample { owners."usr/bin/su".mode = "4755"; }).manifest;
      says = "`owners` names /usr/bin/su, which is not in the image";
    };
    absentUser = {
      step = (sample { owners."var/log".user = "logger"; }).manifest;
      says = "/var/log belongs to the user logger, which the image does not have";
    };
    absentGroup = {
      step =
        (sample {
          users = {
            inherit root;
            web = {
              uid = 80;
              group = "wep";
            };
          };
          groups = {
            root.gid = 0;
            web.gid = 80;
          };
        }).files;
      says = "the user web is in the group `wep`, which there is not; did you mean `web`?";
    };
    sharedNumber = {
      step =
        (sample {
          users = {
            inherit root;
            toor = root;
          };
        }).files;
      says = "the users root and toor have the number 0";
    };
    unknownMoment = {
      step =
        (sample {
          services.web = {
            command = "/usr/bin/httpd";
            when = "later";
          };
        }).files;
      says = "the service web starts at `later`";
    };
    unknownStart = {
      step =
        (sample {
          trials.rescue = [
            {
              from = "rescued";
              dialogue = [ ];
            }
          ];
          commandLines = {
            live = "quiet";
            rescue = "quiet init=/usr/bin/sh";
          };
        }).checks.rescue;
      says = "check-rescue: a machine starts from `rescued`, which the image does not have; did you mean `rescue`?";
    };
    seedCode = {
      step =
        (sample {
          packages = [
            filesystem
            (copied [ ] "usr/lib/gcc/x86_64-linux-gnu/12/libgcc.a" "usr/lib/libgcc.a")
          ];
        }).checks.seedFreedom;
      says = "seed-freedom: /usr/lib/libgcc.a is /larder/store/";
    };
    seedCompiler = {
      step =
        (sample {
          packages = [
            filesystem
            (copied [ cxx ] "usr/lib/gcc/x86_64-linux-gnu/12/libstdc++.a" "usr/lib/libown.a")
          ];
        }).checks.seedFreedom;
      says = "seed-freedom: /usr/lib/libown.a is /larder/store/";
    };
    seedFirstProgram = {
      step = (sample { firstProgram = copied [ ] "usr/bin/true" "init"; }).checks.seedFreedom;
      says = "-copied-1/init is /larder/store/";
    };
    vanishedOption = {
      # Without block devices there are no file systems on them.
      step = linux-small.change { env.fragments = "${./vanished-option.config}"; };
      says = "options vanished, because something that they depend on is off:";
    };
    tooLarge = {
      step = (sample { maxSize = 1000; }).iso;
      says = "more than its maxSize of 1000";
    };
  };
}
