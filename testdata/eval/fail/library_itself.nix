# What is wrong in the text of a library is wrong whoever imports it.
import ./library/broken.nix
