# What is checked of an image, each a derivation that fails when it does not hold; its output is the report.
{
  emulator,
  image-tools,
  lib,
  seed,
  system,
  tiers,
}:
image:

let
  inherit (builtins)
    attrNames
    attrValues
    concatStringsSep
    elem
    filter
    mapAttrs
    toJSON
    ;

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

  origins = [
    "medium"
    "disk"
  ]
  ++ attrNames image.uki;
  completed =
    name: start:
    if elem start.from origins then
      { ends = false; } // start
    else
      throw "${name}: a machine starts from `${start.from}`, which the image does not have${lib.didYouMean start.from origins}";

  # Machines that start one after the other; see `boot.py`.
  boot =
    name: starts: variables:
    report name ./boot.py
      [
        seed
        image-tools
        emulator
      ]
      (
        {
          inherit (image) iso verity;
          starts = toJSON (map (completed name) starts);
          kernels = concatStringsSep "\n" (
            map (variant: "${variant}=${image.uki.${variant}}") (attrNames image.uki)
          );
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

  # No program and no library on the medium is one of the seed's: of all its trees, whatever has been built with.
  seedFreedom = report "check-seed-freedom" ./seed-freedom.py withTools {
    inherit (image) files;
    beside = map toString image.beside;
    seeds = map toString (filter (tree: tree.pending or null == null) (attrValues tiers.seed));
  };

  # What is on the medium, and under which licence.
  licences = lib.write {
    name = "licences";
    entries.licences.text = concatStringsSep "" (
      builtins.sort builtins.lessThan (map licenceOf (image.packages ++ image.beside))
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

  # With one byte changed it does not boot: it says so and goes off.
  tampered =
    boot "check-tampered"
      [
        {
          from = "medium";
          dialogue = [ { expect = "init: refused"; } ];
          ends = true;
        }
      ]
      {
        tamper = "1";
        refuse = "login:";
      };
}
# It boots as the image says.
// mapAttrs (name: starts: boot "check-${name}" starts { }) image.trials
