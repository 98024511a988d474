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
  used = map (package: package.pname) (image.packages ++ [ image.kernel ]);
  ofTier =
    tier: packages:
    compose {
      name = "phase-${tier}";
      root = map (name: packages.${name}) (filter (name: elem name used) (attrNames packages));
    };

  fetched = filter (package: package.source or null != null) image.packages;
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

  # Every source of the image is there.
  verify-sources = write {
    name = "phase-verify-sources";
    entries.sources.text = concatStringsSep "" (
      map (package: "${package.pname} ${package.source}\n") fetched
    );
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
