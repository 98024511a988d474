# Every path of the image with all that the file system says of it: `manifest` for people and checks, `pseudo` for
# mksquashfs.
#
# shellcheck shell=bash disable=SC2154  # what is given are variables
mkdir "$out"
python3 "$program" "$files" "$out"
