# The way from recipes to a medium as derivations with names, one after the other. Of a tier, what the image has of it.
{
  audit,
  compiler,
  lib,
  seed,
  stdenv,
  system,
  tiers,
}:
image:

let
  inherit (builtins)
    attrNames
    concatMap
    concatStringsSep
    elem
    filter
    mapAttrs
    ;
  inherit (lib) compose write;
  sourcesOf = import ../sources.nix;

  linesOf =
    tier:
    map (
      name:
      let
        package = tiers.${tier}.${name};
      in
      if package.pending or null != null then
        "${name} is pending: ${package.pending}\n"
      else if elem name audit.orphans then
        "${name} is in no image\n"
      else
        "${name}\n"
    ) (attrNames tiers.${tier});

  # Only what the image has is evaluated: a recipe that is wrong does not keep others from being built.
  used = map (package: package.pname or package.name) onMedium;
  ofTier =
    tier: packages:
    compose {
      name = "phase-${tier}";
      root = map (name: packages.${name}) (filter (name: elem name used) (attrNames packages));
    };

  onMedium = image.packages ++ image.beside;
  # Of what is on the medium, of what that is built with, and of what packs it.
  sources = sourcesOf (onMedium ++ [ image.iso ]);
in
mapAttrs ofTier tiers
// {
  # Every recipe of the tree evaluates.
  validate =
    if audit.wrong == [ ] then
      write {
        name = "phase-validate";
        entries.recipes.text = concatStringsSep "" (concatMap linesOf (attrNames tiers));
      }
    else
      throw "these recipes do not evaluate; build one of them to see why: ${concatStringsSep ", " audit.wrong}";

  # Every source is there, so that the rest needs no network.
  verify-sources = write {
    name = "phase-verify-sources";
    entries.sources.text = concatStringsSep "" (map (entry: "${entry.name} ${entry.source}\n") sources);
  };

  # What compiles, and the library that it compiles for.
  toolchain = compose {
    name = "phase-toolchain";
    root = stdenv.layers ++ [
      (compose {
        name = "phase-toolchain-sysroot";
        root = stdenv.sysroot;
        at = "sysroot";
      })
    ];
  };

  # A compiler that runs in the system, with all that it needs there.
  native = compose {
    name = "phase-native";
    root = lib.closure [ compiler ];
  };

  bootloader = compose {
    name = "phase-bootloader";
    root = [
      image.stub
      image.initramfs
    ];
  };

  inherit (image)
    iso
    manifest
    squashfs
    verity
    ;
  uki = compose {
    name = "phase-uki";
    root = map (
      variant:
      compose {
        name = "phase-uki-${variant}";
        root = [ image.uki.${variant} ];
        at = variant;
      }
    ) (attrNames image.uki);
  };

  # What one puts on a server: the medium, what is in it, and their digests.
  publish = derivation {
    name = "phase-publish";
    inherit system;
    builder = "/usr/bin/bash";
    args = [
      "-euc"
      ''
        mkdir "$out"
        cd "$out"
        cp "$iso/image.iso" "$manifest/manifest" .
        sha256sum image.iso manifest >SHA256SUMS
      ''
    ];
    root = [ seed ];
    inherit (image) iso manifest;
  };
}
