# What a package promises must be in its own output. Who sources this has `say`, `fail`, `out` and the list `promises`.
#
# shellcheck shell=bash disable=SC2154  # the variables are those of the script that sources this

# What was installed closest to a path that is missing.
show_near() {
    local path=$1 name=${1##*/} directory
    directory=$(dirname "$path")
    while [[ ! -d $out/$directory ]]; do
        directory=$(dirname "$directory")
    done
    printf 'larder:   installed in %s: %s\n' "$directory" \
        "$(find "$out/$directory" -mindepth 1 -maxdepth 1 -printf '%f\n' | sort | head -n 20 | tr '\n' ' ')"
    find "$out" -name "*${name%%.*}*" -printf 'larder:   has a similar name: %P\n' | sort | head -n 10
}

check_promises() {
    local path missing=()
    for path in "${promises[@]}"; do
        [[ -e $out/$path || -L $out/$path ]] || missing+=("$path")
    done
    (( ${#missing[@]} )) || return 0
    for path in "${missing[@]}"; do
        say "promised, but not installed: $path"
        show_near "$path"
    done >&2
    fail "${#missing[@]} of ${#promises[@]} promised paths are missing"
}
