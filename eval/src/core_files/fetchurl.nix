# The file at a URL by a hash: a derivation that larder itself builds.
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

if unpack then
  # Nix restores a NAR there. To unpack anything else would give another tree under the same hash, or none.
  throw "<nix/fetchurl.nix> cannot `unpack`, which restores a NAR; `builtins.fetchTarball` gives the tree in a tar archive"
else
  derivation {
    builder = "builtin:fetch";
    system = "builtin";
    # What is executable is more than the bytes of a file.
    outputHashMode = if executable then "nar" else "flat";
    urls = [ url ];
    inherit
      name
      outputHash
      outputHashAlgo
      executable
      ;
  }
  // {
    inherit url;
  }
