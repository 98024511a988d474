# Building, replacing, splitting and taking apart strings.
{ n }:
let
  inherit (builtins) concatStringsSep elemAt filter foldl' genList hashString isString length replaceStrings split stringLength substring;
  words = genList (i: "word${toString i}-${substring 0 3 (toString (i * 31))}") n;
  joined = concatStringsSep " " words;
  # What libraries do without a builtin for it: look at every character.
  characters = text: genList (i: substring i 1 text) (stringLength text);
  upper = replaceStrings [ "a" "b" "c" "d" "e" "o" "r" "w" ] [ "A" "B" "C" "D" "E" "O" "R" "W" ];
  escape = replaceStrings [ "\\" "\"" "\n" "$" ] [ "\\\\" "\\\"" "\\n" "\\$" ];
  lines = map (i: ''
    [section ${toString i}]
      path = "/usr/lib/${elemAt words i}:/usr/share"
      flags = -O2 ''${CFLAGS}
  '') (genList (i: i) (n / 10));
  grown = foldl' (text: i: text + substring 0 1 (elemAt words i)) "" (genList (i: i) (n / 20));
in [
  (stringLength (replaceStrings [ "word1" "-" ] [ "W" "_" ] joined))
  (length (filter isString (split "([0-9]+)-" joined)))
  (hashString "sha256" joined)
  (length (filter (c: c == "w") (characters (substring 0 n joined))))
  (hashString "sha256" (concatStringsSep "" (map (line: upper (escape line)) lines)))
  (stringLength grown)
]
