# The squashfs, and behind it the tree of its hashes. The salt is the digest of the squashfs: fixed by its content, and
# another one for every other image.
#
# shellcheck shell=bash disable=SC2154  # what is given are variables
readonly block=4096
mkdir "$out"
image=$out/root.img
cp "$squashfs/root.squashfs" "$image"
chmod u+w "$image"
truncate -s "%$block" "$image"

size=$(stat -c %s "$image")
salt=$(sha256sum "$image" | cut -c 1-64)
veritysetup format --salt="$salt" --uuid="00000000-0000-4000-8000-${salt:0:12}" --data-block-size=$block \
    --hash-block-size=$block --data-blocks=$((size / block)) --hash-offset="$size" \
    --root-hash-file="$out/roothash" "$image" "$image"

printf %s "$salt" >"$out/salt"
printf %s $((size / block)) >"$out/blocks"
