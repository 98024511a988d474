# The tree beside this file, built by larder as it is.
{
  system ? builtins.currentSystem or "x86_64-linux",
}:
(import ../../recipes { inherit system; }).lib.intergenos ./.
