# A medium for drives and sticks: ISO 9660 with the image, and an EFI system partition with the kernel images.
#
# shellcheck shell=bash disable=SC2154,SC2086  # what is given are variables; `kernels` is a list of words
export MTOOLS_SKIP_CHECK=1
readonly date=1980010200000000 # the epoch of builds, as xorriso says it

bytes=0
for entry in $kernels; do
    size=$(stat -c %s "${entry#*=}/linux.efi")
    bytes=$((bytes + size))
done
truncate -s $((bytes / 1048576 + 12))M esp.img
mkfs.vfat --invariant -F 16 -s 4 -i 4c415244 -n LARDER esp.img >/dev/null
mmd -i esp.img ::/EFI ::/EFI/BOOT ::/EFI/Linux
for entry in $kernels; do
    variant=${entry%%=*}
    cp "${entry#*=}/linux.efi" linux.efi
    touch -d "@$SOURCE_DATE_EPOCH" linux.efi
    target=::/EFI/Linux/$variant.efi
    [[ $variant != live ]] || target=::/EFI/BOOT/BOOTX64.EFI
    mcopy -m -i esp.img linux.efi "$target"
    rm -f linux.efi
done

mkdir -p medium/live
cp "$verity/root.img" "$manifest/manifest" medium/live/
find medium -exec touch -d "@$SOURCE_DATE_EPOCH" {} +
mkdir "$out"
xorriso -as mkisofs -quiet -o "$out/image.iso" -V "${volume^^}" -J -R -uid 0 -gid 0 -dir-mode 0555 -file-mode 0444 \
    --modification-date=$date --set_all_file_dates $date \
    -eltorito-alt-boot -append_partition 2 0xef esp.img -appended_part_as_gpt \
    -e --interval:appended_partition_2:all:: -no-emul-boot -partition_cyl_align off medium

size=$(stat -c %s "$out/image.iso")
if [[ -n $maxSize ]] && ((size > maxSize)); then
    echo "larder: the image has $size bytes, $((size - maxSize)) more than its maxSize of $maxSize" >&2
    exit 1
fi
