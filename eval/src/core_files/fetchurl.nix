# The file at a URL, or the tree in an archive there, by a hash: a derivation that larder itself builds.
{
  url,
  # An SRI hash, or one of the others.
  hash ? "",
  sha256 ? "",
  sha512 ? "",
  outputHash ?
    if hash != "" then
      hash
    else if sha512 != "" then
      sha512
    else
      sha256,
  outputHashAlgo ?
    if hash != "" then
      ""
    else if sha512 != "" then
      "sha512"
    else
      "sha256",
  executable ? false,
  unpack ? false,
  name ? baseNameOf (toString url),
  # Without meaning.
  system ? "",
}:

derivation {
  builder = "builtin:fetch";
  system = "builtin";
  # What is unpacked or executable is more than the bytes of a file.
  outputHashMode = if unpack || executable then "nar" else "flat";
  urls = [ url ];
  inherit
    name
    url
    outputHash
    outputHashAlgo
    executable
    unpack
    ;
}
