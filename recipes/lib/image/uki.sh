# A unified kernel image: kernel, initramfs and command line as sections of one EFI program, behind each other.
#
# shellcheck shell=bash disable=SC2154,SC1090  # what is given are variables
source "$peTime"
verity_parameters="roothash=$(<"$verity/roothash") verity_salt=$(<"$verity/salt") verity_blocks=$(<"$verity/blocks")"
printf '%s %s' "$verity_parameters" "$commandLine" >command-line
printf 'ID=%s\nNAME=%s\nVERSION_ID=%s\n' "$osName" "$osName" "$variant" >os-release

readonly program=$stub/usr/lib/systemd/boot/efi/linuxx64.efi.stub alignment=4096
image_base=$(objdump -p "$program" | awk '/^ImageBase/ { print $2 }')
# The sections stand at addresses behind those of the stub.
next=$(objdump -h "$program" | awk '$1 ~ /^[0-9]+$/ { print "0x" $4, "0x" $3 }' |
    while read -r address size; do echo $((address + size)); done | sort -n | tail -n 1)
round_up() { echo $((($1 + alignment - 1) / alignment * alignment)); }

arguments=()
add_section() {
    next=$(round_up "$next")
    arguments+=(--add-section "$1=$2" --change-section-vma "$1=$next")
    next=$((next + $(stat -c %s "$2")))
}
((next >= 0x$image_base)) # addresses of objdump have the base in them
add_section .osrel os-release
add_section .cmdline command-line
add_section .linux "$kernel/boot/$kernelName"
add_section .initrd "$initramfs/initramfs"

mkdir "$out"
objcopy "${arguments[@]}" "$program" "$out/linux.efi"
clear_pe_time "$out/linux.efi"
