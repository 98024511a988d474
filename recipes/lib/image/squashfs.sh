# The files with modes and owners of the manifest, which cannot say those of the root directory. The time of all is that of the epoch, which mksquashfs wants said
# in its own way only.
#
# shellcheck shell=bash disable=SC2154  # what is given are variables
epoch=$SOURCE_DATE_EPOCH
unset SOURCE_DATE_EPOCH
mkdir "$out"
mksquashfs "$files" "$out/root.squashfs" -pf "$manifest/pseudo" \
    -root-mode 755 -root-uid 0 -root-gid 0 \
    -noappend -no-progress -no-xattrs -no-exports -comp zstd -Xcompression-level 19 -b 128K \
    -mkfs-time "$epoch" -all-time "$epoch" -processors "${LARDER_JOBS:-1}"
