# All that is fetched for trees to be made, also for what they are built with: `{ name; source; }`, where `name` is what the
# source is of; in the order of names, each once. Packages have `sources`, unpacked archives `src`; the way there is `root`
# and `runtime`.
trees:

let
  inherit (builtins)
    attrValues
    concatMap
    filter
    genericClosure
    groupBy
    head
    isAttrs
    unsafeDiscardStringContext
    ;

  isTree = value: isAttrs value && value ? outPath;
  isFetched = tree: tree.builder or "" == "builtin:fetch";
  sourcesOf = tree: filter isTree (tree.sources or [ ] ++ [ tree.src or null ]);

  node = tree: {
    key = unsafeDiscardStringContext tree.outPath;
    inherit tree;
  };
  reached = genericClosure {
    startSet = map node trees;
    operator =
      found:
      map node (
        filter isTree (found.tree.root or [ ] ++ found.tree.runtime or [ ]) ++ sourcesOf found.tree
      );
  };
  entriesOf =
    found:
    map (source: {
      name = found.tree.pname or found.tree.name;
      inherit source;
    }) (filter isFetched (sourcesOf found.tree));
  keyOf = entry: "${entry.name} ${entry.source.name} ${(node entry.source).key}";
in
map head (attrValues (groupBy keyOf (concatMap entriesOf reached)))
