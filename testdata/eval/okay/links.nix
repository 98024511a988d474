let
  links = toString ./links;
  exists = name: map (end: builtins.pathExists "${links}/${name}${end}") [ "" "/" "/." ];
in
map exists [ "directory" "broken" "file" "nothing" ]
