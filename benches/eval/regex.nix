# Regular expressions over many short lines, as version numbers, paths and configuration files ask for.
{ n }:
let
  inherit (builtins) concatLists elemAt filter foldl' genList head isList length match split stringLength;
  line = i: "package-${toString i}_${toString (i / 7)}.${toString (i - i / 10 * 10)}.${toString (i * 3)}-r${toString (i - i / 4 * 4)}: /usr/lib/x86_64/lib${toString i}.so.1 = \"value ${toString (i * i)}\"";
  lines = genList line n;
  parsed = map (match "([a-z]+)-([0-9]+)_([0-9.]+)-r([0-9]+): (/[^ ]*) = \"(.*)\"") lines;
  fields = map (fields: stringLength (elemAt fields 2) + stringLength (elemAt fields 4)) parsed;
  isLibrary = text: match ".*/lib[^/]*\\.so(\\.[0-9]+)*( .*)?" text != null;
  components = text: filter (part: ! isList part && part != "") (split "[-_.:/ =\"]+" text);
  trim = text: head (match "[[:space:]]*([^[:space:]]*)[[:space:]]*" text);
in [
  (foldl' (a: b: a + b) 0 fields)
  (length (filter isLibrary lines))
  (length (concatLists (map components lines)))
  (length (filter (text: match "(foo|bar|baz)+.*qux" text != null) lines))
  (stringLength (foldl' (a: b: if stringLength a > stringLength b then a else b) "" (map (i: trim "  ${toString i}\t") (genList (i: i * 17) n))))
]
