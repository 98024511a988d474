# Images: from packages to a medium that boots, each step a derivation.
#
#   files ─▶ manifest ─▶ squashfs ─▶ verity ─▶ uki.NAME ─▶ iso
#
# Trees hold neither owners nor modes: those are data here and in packages (`users`, `groups`, `owners`, `services`),
# and the manifest gives every path its own. Salts, identifiers and times are fixed or follow from content, so that the
# same packages give the same bytes.
{
  image-tools,
  lib,
  seed,
  system,
  write,
}:

let
  inherit (builtins)
    attrNames
    concatStringsSep
    foldl'
    mapAttrs
    toJSON
    toString
    ;
  inherit (lib)
    check
    closure
    compose
    didYouMean
    ;

  # A step is a script in a root of tools; what it is given are variables. With `run` it is another derivation, which
  # must come to the same.
  stepOf =
    run: name: script: variables:
    derivation (
      {
        inherit name system;
        builder = "/usr/bin/bash";
        args = [
          "-euo"
          "pipefail"
          "${script}"
        ];
        root = [
          seed
          image-tools
        ];
      }
      // (if run == "" then { } else { inherit run; })
      // variables
    );

  indexes = import ./indexes.nix { inherit image-tools seed system; };

  makeServices = import ./services.nix { inherit write; };

  # What packages say about themselves, and what the image says: names must be different.
  gathered =
    what: own: packages:
    foldl' (
      all: set:
      let
        twice = builtins.intersectAttrs all set;
      in
      if twice == { } || builtins.all (name: all.${name} == set.${name}) (attrNames twice) then
        all // set
      else
        throw "two packages of the image define the ${what} ${concatStringsSep ", " (attrNames twice)}"
    ) own (map (package: package.${what} or { }) packages);

  image =
    {
      name,
      packages,
      kernel, # has boot/NAME, where NAME is its pname
      firstProgram, # has init, for the initramfs
      stub, # has linuxx64.efi.stub
      commandLines, # name → what the kernel is told, for each a unified kernel image; one is called `live`
      users ? { },
      groups ? { },
      owners ? { }, # path → { user ? "root"; group ? "root"; mode; }
      services ? { },
      init ? "busybox", # whose inittab is written: busybox's or sysvinit's
      hostName ? name,
      # What is tried with it, name → machines that start one after the other: { from; dialogue; ends ? false; }, see `boot.py`.
      trials ? {
        boot = [
          {
            from = "medium";
            dialogue = [ { expect = "login:"; } ];
          }
        ];
      },
      maxSize ? null, # bytes that the ISO may have
      run ? "", # any text: the steps are run once more, for this name
    }@arguments:
    let
      step = stepOf run;
      accountsOf = import ./accounts.nix { inherit didYouMean step; };
      installed = closure packages;
      # Packages of other distributions, which note what only root can do when they are built.
      deferring = builtins.filter (package: package.deferring or false) installed;
      accounts = accountsOf {
        inherit (all) users groups;
        deferring = map (package: "${package}") deferring;
        indexed = indexes.programs;
      };
      all = {
        users = gathered "users" users installed;
        groups = gathered "groups" groups installed;
        owners = gathered "owners" owners installed;
        services = gathered "services" services installed;
      };

      files = compose (if deferring == [ ] then plain else indexed);
      plain = {
        name = "${name}-files";
        root = lib.settle installed ++ own;
      };
      # They may bring files of /etc that the image says more of, and ask for indexes of all that there is.
      indexed = plain // {
        override = own ++ [ made ];
        root = plain.root ++ [ made ];
      };
      made = indexes.make {
        name = "${name}-indexes";
        inherit run;
        inherit (plain) root;
        override = own;
      };
      own = [
        accounts
        (makeServices {
          inherit hostName init name;
          inherit (all) services;
        })
      ];

      manifest = step "${name}-manifest" ./manifest.sh {
        inherit files;
        program = "${./manifest.py}";
        owners = toJSON all.owners;
      };

      squashfs = step "${name}-squashfs" ./squashfs.sh { inherit files manifest; };

      verity = step "${name}-verity" ./verity.sh { inherit squashfs; };

      initramfs = step "${name}-initramfs" ./initramfs.sh { inherit firstProgram; };

      uki = mapAttrs (
        variant: commandLine:
        step "${name}-uki-${variant}" ./uki.sh {
          inherit
            commandLine
            initramfs
            kernel
            stub
            variant
            verity
            ;
          kernelName = kernel.pname;
          peTime = "${../pe-time.sh}";
          osName = name;
        }
      ) commandLines;

      isoOf =
        kernels:
        step "${name}-iso" ./iso.sh {
          inherit manifest verity;
          kernels = concatStringsSep " " (
            map (variant: "${variant}=${kernels.${variant}}") (attrNames kernels)
          );
          volume = name;
          maxSize = if maxSize == null then "" else toString maxSize;
        };
    in
    {
      inherit
        files
        initramfs
        kernel
        manifest
        name
        squashfs
        stub
        trials
        uki
        verity
        ;
      iso = isoOf uki;
      packages = installed;
      # On the medium, but not among the files of the image.
      beside = [
        kernel
        stub
        firstProgram
      ];

      # The same image, packed once more.
      again = image (arguments // { run = "again"; });

      # The same medium with signatures that were made elsewhere: name of a kernel image → file.
      signed =
        signatures:
        isoOf (
          mapAttrs (
            variant: kernelImage:
            if signatures ? ${variant} then
              step "${name}-uki-${variant}-signed" ./sign.sh {
                inherit kernelImage;
                signature = "${signatures.${variant}}";
              }
            else
              kernelImage
          ) uki
        );
    };
in
check "image" image
