# Compiles programs with the system's own compiler and compares what they do with what others do. Shell and tools are its own, too.
#
# shellcheck shell=sh disable=SC2154  # the variables come from check.nix
set -eu

text=$source/deflate.c

minigzip() {
    cc "$@" -DHAVE_UNISTD_H -I "$source" -o made "$source"/*.c "$source"/test/minigzip.c
    ./made <"$text" >packed
    ./made -d <packed | cmp "$text" -
    gunzip <packed | cmp "$text" -
    test "$(wc -c <packed)" -lt "$(wc -c <"$text")"
}

words() {
    c++ "$@" -O2 -Wall -Werror -o made "$words"
    test "$(./made <"$text")" -eq "$(wc -w <"$text")"
}

needs_loader() { grep -q /lib/ld-musl- made; }

mkdir "$out"
for program in $programs; do
    case $program in
        *-static)
            "${program%-static}" -static
            ! needs_loader
            ;;
        *)
            "$program"
            needs_loader
            ;;
    esac
    echo "compiled and run: $program" >>"$out/report"
done
