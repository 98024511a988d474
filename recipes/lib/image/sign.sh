# Puts a signature that was made elsewhere into a unified kernel image; the rest of it stays as it is.
#
# shellcheck shell=bash disable=SC2154  # what is given are variables
mkdir "$out"
cp "$kernelImage/linux.efi" "$out/linux.efi"
chmod u+w "$out/linux.efi"
sbattach --attach "$signature" "$out/linux.efi"
