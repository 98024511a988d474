let
  directory = "directory";
  a = 6;
in
[
  /${directory}
  (/${directory}-b + "/c")
  [ a /${directory}/${toString a}.nix ]
]
