# What is checked of an image, each a derivation that fails when it does not hold; its output is the report.
{
  emulator,
  image-tools,
  lib,
  seed,
  system,
}:
image:

let
  inherit (builtins) concatStringsSep toJSON toString;

  report =
    name: script: root: variables:
    derivation (
      {
        inherit name root system;
        builder = "/usr/bin/python3";
        args = [ "${script}" ];
      }
      // variables
    );
  withTools = [
    seed
    image-tools
  ];

  boot =
    name: variables:
    report name ./boot.py
      [
        seed
        image-tools
        emulator
      ]
      (
        {
          inherit (image) iso verity;
          dialogue = toJSON image.dialogue;
          refuse = "init: refused";
          tamper = "";
        }
        // variables
      );

  licenceOf = package: "${package.meta.licence} ${package.pname} ${package.version}\n";
in
{
  # Programs, libraries and scripts find what they need in the image itself.
  closure = report "check-closure" ./closure.py withTools { inherit (image) files; };

  # No file is one of the seed's.
  seedFreedom = report "check-seed-freedom" ./seed-freedom.py withTools {
    inherit (image) files;
    seeds = map toString [
      seed
      image-tools
      emulator
    ];
  };

  # What is in the image, and under which licence.
  licences = lib.write {
    name = "licences";
    entries."licences".text = concatStringsSep "" (
      builtins.sort builtins.lessThan (map licenceOf image.packages)
    );
  };

  # Packed once more, it is the same.
  reproducible = derivation {
    name = "check-reproducible";
    inherit system;
    builder = "/usr/bin/bash";
    args = [
      "-euc"
      ''
        cmp "$first/image.iso" "$second/image.iso"
        mkdir "$out"
        sha256sum <"$first/image.iso" >"$out/report"
      ''
    ];
    root = [ seed ];
    first = image.iso;
    second = image.again.iso;
  };

  # It boots to a login prompt, and root logs in.
  boot = boot "check-boot" { };

  # With one byte changed it does not.
  tampered = boot "check-tampered" {
    tamper = "1";
    dialogue = toJSON [ { expect = "init: refused"; } ];
    refuse = "login:";
  };
}
