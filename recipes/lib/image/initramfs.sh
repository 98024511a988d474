# An archive with one program.
#
# shellcheck shell=bash disable=SC2154  # what is given are variables
mkdir root "$out"
install -m 755 "$firstProgram/init" root/init
touch -d "@$SOURCE_DATE_EPOCH" root/init
(cd root && echo init | cpio --quiet --create --format=newc --reproducible --owner=+0:+0) | zstd -19 -q >"$out/initramfs"
