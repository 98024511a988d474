# `clear_pe_time FILE…`: objcopy writes the time of day into EFI programs, and a checksum over it that no firmware reads.
#
# shellcheck shell=bash
clear_pe_time() {
    local file header
    for file; do
        header=$(od -An -tu4 -j60 -N4 "$file")
        printf '\0\0\0\0' | dd of="$file" bs=1 seek=$((header + 8)) conv=notrunc status=none
        printf '\0\0\0\0' | dd of="$file" bs=1 seek=$((header + 24 + 64)) conv=notrunc status=none
    done
}
