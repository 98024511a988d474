# Builds a package: patch, configure, build, check and install, then the promises.
#
# Every phase runs in this one shell, in the source directory; any failing command fails it. A phase `P` runs the
# recipe's text for `P` if there is one, else `default_P` of the style, and the recipe's texts `beforeP` and `afterP`
# around it. Every phase begins with the line `larder: phase P`.
#
# shellcheck shell=bash disable=SC2154  # the variables come from mk-package.nix
set -Eeuo pipefail
shopt -s inherit_errexit

# What is for this script only does not reach the programs it runs.
export -n "${!larder_@}" name system builder outputs

readonly source_directory=/build/source
current_phase=start

say() { printf 'larder: %s\n' "$*"; }

fail() {
    trap - ERR EXIT
    printf 'larder: %s: phase %s failed: %s\n' "$larder_package" "$current_phase" "$*" >&2
    keep_shell
    exit 1
}

# Writes what `larder debug` enters a failed build with: the variables and functions of this shell, and where it is. When
# something fails, and when a phase begins, for larder stops a build that takes too long without a word to its shell.
keep_shell() {
    {
        shopt -p extglob
        declare -p
        declare -f
        printf 'cd %q\n' "$PWD"
    } >/build/.larder-failed || true
}

show_end_of() {
    [[ -f $1 ]] || return 0
    say "the end of $1:" >&2
    tail -n 40 "$1" >&2
}

# A command failed: this is its exit status and text.
on_error() {
    local status=$1 command=$2
    trap - ERR EXIT
    [[ $current_phase != configure ]] || show_end_of config.log
    fail "exit status $status from: ${command%%$'\n'*}"
}

# The shell itself gave up, as on a variable that is not set, or a recipe said `exit`.
on_exit() { fail "the shell ended with status $1 before the end"; }

watch_errors() {
    trap 'on_error $? "$BASH_COMMAND"' ERR
    trap 'on_exit $?' EXIT
}

# A job server is for who asks to run several jobs: not every makefile can install, or check, in parallel.
readonly job_server=${MAKEFLAGS:-}
unset MAKEFLAGS

# Runs make with as many jobs as this build may use; a job server decides by itself.
run_make() {
    if [[ $job_server == *jobserver* ]]; then
        MAKEFLAGS=$job_server make "${make_flags[@]}" "$@"
    else
        make -j"${LARDER_JOBS:-1}" "${make_flags[@]}" "$@"
    fi
}

# Runs a command whose last argument is to be how many processes there may be.
with_processors() {
    local status=0
    take_processors "$job_server"
    "$@" "$processors" || status=$?
    give_processors
    (( status == 0 )) || say "exit status $status from: $* $processors" >&2
    return "$status"
}

# Satisfies `configure` where a repacked archive lacks a directory: every target of its makefile does nothing.
stub_makefile_in() {
    local directory
    for directory; do
        mkdir -p "$directory"
        printf '.DEFAULT:\n\t@:\nall:\n\t@:\n' >"$directory/Makefile.in"
    done
}

# One time for every file: what is to be generated anew is said by the recipe, not by time stamps.
level_time_stamps() { find "$source_directory" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +; }

unpack_sources() {
    local entry target
    mkdir "$source_directory"
    for entry in "${sources[@]}"; do
        target=$source_directory/${entry%%=*}
        mkdir -p "$target"
        cp -R --no-dereference "${entry#*=}/." "$target"
        chmod -R u+w "$target"
    done
    level_time_stamps
}

default_patch() {
    local file
    for file in "${patches[@]}"; do
        say "patch ${file##*/}"
        patch -p1 --fuzz=0 --batch --no-backup-if-mismatch <"$file"
    done
}

# The recipe's text wins over the style's default.
run_phase() {
    local phase=$1 capitalised=${1^}
    current_phase=$phase
    say "phase $phase"
    keep_shell
    run_recipe_text "before$capitalised"
    if [[ -v larder_phase_$phase ]]; then
        run_recipe_text "$phase"
    else
        "default_$phase"
    fi
    run_recipe_text "after$capitalised"
}

run_recipe_text() {
    local variable=larder_phase_$1
    [[ -v $variable ]] || return 0
    eval "${!variable}"
}

run_check() {
    case $larder_tests in
        on) run_phase check ;;
        off) say "phase check is off: $larder_tests_reason" ;;
        known-failures) run_check_with_known_failures ;;
        *) fail "the tests policy is $larder_tests" ;;
    esac
}

# In a shell of its own, so that its failure is seen here and ends nothing else.
run_check_with_known_failures() {
    local status=0
    trap - ERR EXIT
    set +e
    (
        set -e
        run_phase check
    )
    status=$?
    set -e
    watch_errors
    (( status == 0 )) || say "tests failed with status $status, as known: $larder_tests_reason"
}

is_linked_elf() {
    local magic='' type
    LC_ALL=C IFS= read -r -N 4 magic <"$1" || true
    [[ $magic == $'\x7fELF' ]] || return 1
    type=$(od -An -tu2 -j16 -N2 "$1")
    (( type == 2 || type == 3 ))
}

strip_programs() {
    local file
    while IFS= read -r -d '' file; do
        if is_linked_elf "$file"; then
            chmod u+w "$file"
            "${STRIP:-strip}" --strip-unneeded "$file"
        fi
    done < <(find "$out" -type f -size +3c -print0)
}

# Libtool's archives hold build paths, and the index of info pages belongs to whole systems.
drop_unwanted() {
    find "$out" -name '*.la' -type f -delete
    rm -f "$out/usr/share/info/dir"
    if [[ -d $out/usr/share/info ]]; then
        rmdir --ignore-fail-on-non-empty "$out/usr/share/info"
    fi
}

move_to_outputs() {
    local entry output path
    current_phase=outputs
    for entry in "${moves[@]}"; do
        output=${entry%%=*} path=${entry#*=}
        [[ -e $out/$path || -L $out/$path ]] || fail "$path cannot move to output $output: it is not installed"
        mkdir -p "${!output}/$(dirname "$path")"
        mv "$out/$path" "${!output}/$path"
    done
}

# What stands for others only: the output is an empty directory.
finish_metapackage() {
    mkdir -p "$out"
    [[ -z $(find "$out" ! -type d -print -quit) ]] || fail 'a metapackage installs nothing, but the output has files'
}

finish() {
    current_phase=finish
    say 'phase finish'
    if [[ $larder_metapackage == yes ]]; then
        finish_metapackage
        return
    fi
    [[ -d $out ]] || fail 'nothing was installed: the output does not exist'
    drop_unwanted
    [[ $larder_strip == no ]] || strip_programs
    [[ -n $(find "$out" ! -type d -print -quit) ]] || fail 'nothing was installed: the output has no file'
}

# shellcheck source=processors.sh
source "$larder_processors"
# shellcheck source=promises.sh
source "$larder_promise_check"

watch_errors
eval "sources=($larder_sources)"
eval "patches=($larder_patches)"
eval "configure_flags=($larder_configure_flags)"
eval "make_flags=($larder_make_flags)"
eval "promises=($larder_promises)"
eval "moves=($larder_moves)"

# shellcheck source=/dev/null
source "$larder_style"

mkdir -p "$HOME"
unpack_sources
cd "$source_directory"
run_phase patch
level_time_stamps
run_phase configure
run_phase build
run_check
run_phase install
finish
current_phase=verify
say 'phase verify'
check_promises
move_to_outputs
trap - ERR EXIT
say "done after ${SECONDS} s"
