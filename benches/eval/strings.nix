let
  words = builtins.genList (i: "word${toString i}-${builtins.substring 0 3 (toString (i * 31))}") 100000;
  joined = builtins.concatStringsSep " " words;
in [
  (builtins.stringLength (builtins.replaceStrings [ "word1" "-" ] [ "W" "_" ] joined))
  (builtins.length (builtins.filter builtins.isString (builtins.split "([0-9]+)-" joined)))
  (builtins.stringLength (builtins.hashString "sha256" joined))
]
