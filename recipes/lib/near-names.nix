# Names close to a mistyped one, for error messages.
let
  inherit (builtins)
    concatStringsSep
    elemAt
    filter
    foldl'
    genList
    head
    length
    lessThan
    sort
    stringLength
    substring
    ;

  characters = text: genList (index: substring index 1 text) (stringLength text);
  minimum = left: right: if left < right then left else right;
  last = list: elemAt list (length list - 1);

  # Levenshtein's distance; one row of the table per character of `left`.
  distance =
    left: right:
    let
      columns = characters right;
      nextRow =
        row: character:
        foldl' (
          done: index:
          let
            changed = elemAt row index + (if elemAt columns index == character then 0 else 1);
            dropped = elemAt row (index + 1) + 1;
            added = last done + 1;
          in
          done ++ [ (minimum changed (minimum dropped added)) ]
        ) [ (head row + 1) ] (genList (index: index) (length columns));
    in
    last (foldl' nextRow (genList (index: index) (length columns + 1)) (characters left));

  # At most three names, nearest first; a third of the characters may differ.
  nearNames =
    name: names:
    let
      scored = map (candidate: {
        inherit candidate;
        score = distance name candidate;
      }) names;
      limit = 1 + stringLength name / 3;
      near = sort (left: right: lessThan left.score right.score) (
        filter (entry: entry.score <= limit) scored
      );
    in
    genList (index: (elemAt near index).candidate) (minimum 3 (length near));
in
{
  inherit distance nearNames;

  # `; did you mean `a` or `b`?`, or else the whole list, unless nobody would read it.
  didYouMean =
    name: names:
    let
      near = nearNames name names;
    in
    if near == [ ] && length names > 40 then
      "; of ${toString (length names)} that are known none is near to it"
    else if near == [ ] then
      "; known: ${concatStringsSep ", " names}"
    else
      "; did you mean `${concatStringsSep "` or `" near}`?";
}
