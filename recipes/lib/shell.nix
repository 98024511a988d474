# Quoting for the shell: `words` is text that `eval "array=(…)"` turns into exactly these strings.
let
  inherit (builtins) concatStringsSep replaceStrings;
  quote = text: "'${replaceStrings [ "'" ] [ "'\\''" ] "${toString text}"}'";
in
{
  inherit quote;
  words = list: concatStringsSep " " (map quote list);
}
