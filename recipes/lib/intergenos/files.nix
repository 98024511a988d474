# The texts of one recipe, and complaints that name the place in its package.yml. What cannot be read is an error only when it is
# asked for, and one that `tryEval` catches: no other recipe is worse off for it.
{
  directory,
  files,
  place,
}:

let
  inherit (builtins)
    elem
    elemAt
    filter
    genList
    head
    isString
    length
    readFile
    readFileKind
    replaceStrings
    split
    stringLength
    substring
    ;

  contentOf =
    file:
    let
      path = directory + "/${file}";
    in
    if unreadable path != null then
      throw "${place}/${file} ${unreadable path}"
    else if readFileKind path == "binary" then
      throw "${place}/${file} has NUL bytes, which no text has"
    else
      readFile path;

  # Why the content of a path cannot be had, or null.
  unreadable =
    path:
    let
      kind = readFileKind path;
    in
    if kind == "text" || kind == "binary" then
      null
    else if kind == null then
      "is a link that leads nowhere"
    else if kind == "directory" then
      "is a directory, or a link to one"
    else
      "is not a regular file, or cannot be read";

  manifest = contentOf "package.yml";
  lines = filter isString (split "\n" manifest);
  contains = needle: hay: replaceStrings [ needle ] [ "" ] hay != hay;

  linesWith =
    accepts: filter (number: accepts (elemAt lines number)) (genList (number: number) (length lines));
  wordsOf = line: split "[^A-Za-z0-9_.+@/-]+" line;

  # `file:line` of the first line that has the text, if possible as a word; from the line on that begins with a key, if there is
  # one. The file alone if none has it.
  at =
    key: needle:
    let
      begins = linesWith (line: key != "" && substring 0 (stringLength key + 1) line == "${key}:");
      found = filter (number: begins == [ ] || number >= head begins) (
        linesWith (line: elem needle (wordsOf line)) ++ linesWith (contains needle)
      );
    in
    if found == [ ] then
      "${place}/package.yml"
    else
      "${place}/package.yml:${toString (head found + 1)}";
  complainIn =
    key: needle: message:
    throw "${at key needle}: ${message}";
in
{
  inherit
    complainIn
    contains
    lines
    manifest
    unreadable
    ;
  place = "${place}/package.yml";
  script = if files ? "build.sh" then contentOf "build.sh" else null;
  complain = complainIn "";
}
