# What is wrong with a tree of recipes as a whole:
#
#   wrong    recipes that end in `throw` or a failed `assert`, as all that the vocabulary refuses; building one says why
#   orphans  recipes that no image has, and that nothing in an image is built with
#
# Other errors, which `tryEval` does not catch (syntax, a missing attribute, a wrong type), end the audit at the first recipe
# that has one. As names; `tiers` are packages by tier and name, `foundation` names the tiers that are there to build with only.
{
  foundation,
  images,
  tiers,
}:

let
  inherit (builtins)
    attrNames
    concatMap
    elem
    filter
    genericClosure
    isAttrs
    listToAttrs
    seq
    tryEval
    unsafeDiscardStringContext
    ;

  named = concatMap (
    tier:
    map (name: {
      inherit name tier;
      package = tiers.${tier}.${name};
    }) (attrNames tiers.${tier})
  ) (attrNames tiers);

  keyOf = tree: unsafeDiscardStringContext tree.outPath;
  isPending = package: package.pending or null != null;
  # Forces all that can be wrong with a recipe. Not every error is caught: see above.
  evaluates = entry: (tryEval (isPending entry.package || seq (keyOf entry.package) true)).success;

  node = tree: {
    key = keyOf tree;
    inherit tree;
  };
  isTree = value: isAttrs value && value ? outPath;
  reached = genericClosure {
    startSet = map node (
      concatMap (
        image:
        image.packages
        ++ [
          image.initramfs.firstProgram
          image.kernel
          image.stub
        ]
      ) images
    );
    operator = found: map node (filter isTree (found.tree.root or [ ] ++ found.tree.runtime or [ ]));
  };
  reachedKeys = listToAttrs (
    map (found: {
      name = found.key;
      value = null;
    }) reached
  );
  isOrphan =
    entry:
    !(elem entry.tier foundation || isPending entry.package || reachedKeys ? ${keyOf entry.package});
  names = map (entry: entry.name);
  wrong = filter (entry: !evaluates entry) named;
in
{
  wrong = names wrong;
  # Who has a wrong package in an image cannot know them.
  orphans = if wrong == [ ] then names (filter isOrphan named) else [ ];
}
