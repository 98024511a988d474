# The shell of one phase: the recipe's function, or what its style does when there is no build.sh at all.
#
#     phase.sh PHASE               runs it
#     phase.sh --defines FUNCTION  whether build.sh has such a function: ends with 100 if not
#
# shellcheck shell=bash disable=SC2154  # the variables come from phases.sh
readonly larder_build_script=$larder_recipe_directory/build.sh

# Runs a recipe's tests, as its `tests` in package.yml say: whatever names that file is left out, the rest is the command.
pkg_run_tests() {
    local word command=()
    for word; do
        case $word in
            */package.yml | package.yml | "$larder_recipe_directory" | --) ;;
            *) command+=("$word") ;;
        esac
    done
    if [[ $larder_tests == off ]]; then
        printf 'larder: tests are off: %s\n' "$larder_tests_reason"
        return 0
    fi
    (( ${#command[@]} )) || command=(make check)
    if (( ${#command[@]} == 1 )) && [[ ${command[0]} == *[[:space:]]* ]]; then
        eval "${command[0]}"
    else
        "${command[@]}"
    fi
}

# Whether the ninja that is there takes part in what counts them.
larder_ninja_is_counted() {
    local version
    version=$(command ninja --version 2>/dev/null) && [[ $version =~ ^([0-9]+)\.([0-9]+) ]] || return 1
    (( BASH_REMATCH[1] > 1 || BASH_REMATCH[2] >= 13 ))
}

# What is not there is no function either, and an older ninja needs to be told a number.
larder_forget_uncounted() {
    local program
    for program in ninja meson cmake ctest; do
        type -P "$program" >/dev/null || unset -f "$program"
    done
    [[ -z $(type -P ninja) ]] || larder_ninja_is_counted || unset -f ninja meson cmake
}

# As many at once as all builds together may: a number that is said would take what runs them out of what counts them. One at
# a time is what somebody needs.
larder_counted() {
    local program=$1 called="$*" words=() larder_parallel=no
    shift
    if [[ ${MAKEFLAGS-} == *--jobserver-auth* ]]; then
        while (( $# )); do
            case $1 in
                -j | --jobs | --parallel)
                    case ${2-} in
                        '' | *[!0-9]*) larder_parallel=yes ;;
                        1) words+=(-j1) && shift ;;
                        *) larder_parallel=yes && shift ;;
                    esac
                    ;;
                -j1 | --jobs=1 | --parallel=1 | -j*[!0-9]* | --jobs=*[!0-9]* | --parallel=*[!0-9]*) words+=("$1") ;;
                -j[0-9]* | --jobs=* | --parallel=*) larder_parallel=yes ;;
                *) words+=("$1") ;;
            esac
            shift
        done
    else
        words=("$@")
    fi
    larder_run || { larder_status=$? larder_called=$called; return "$larder_status"; }
}

# Tests of meson and ctest know no job server; those of meson run in parallel if nobody says otherwise.
larder_run() {
    local test_runs=no status=0
    case $program:" ${words[*]} " in
        *" -C test "*) ;;
        meson:" test "* | ninja:*" test "*) test_runs=yes ;;
        ctest:*) test_runs=$larder_parallel ;;
    esac
    if [[ $test_runs == no ]]; then
        command "$program" "${words[@]}"
        return
    fi
    take_processors "${MAKEFLAGS-}"
    MESON_TESTTHREADS=$processors CTEST_PARALLEL_LEVEL=$processors command "$program" "${words[@]}" || status=$?
    give_processors
    return "$status"
}

make() { larder_counted make "$@" || return "$larder_status"; }
ninja() { larder_counted ninja "$@" || return "$larder_status"; }
meson() { larder_counted meson "$@" || return "$larder_status"; }
cmake() { larder_counted cmake "$@" || return "$larder_status"; }
ctest() { larder_counted ctest "$@" || return "$larder_status"; }

# A command failed: which one, and where it stands. Where `set -e` is off, as in command substitutions, it says nothing.
larder_on_error() {
    [[ $- == *e* ]] || return 0
    local status=$1 line=$2 file=$3 text=$4
    trap - ERR
    # shellcheck disable=SC2016  # as bash has it
    [[ $text != 'return "$larder_status"' ]] || text=$larder_called
    printf 'larder: %s:%s: exit status %s from: %s\n' "${file##*/}" "$line" "$status" "${text%%$'\n'*}" >&2
    [[ ! -f config.log || $larder_phase != configure ]] || tail -n 40 config.log >&2
    larder_keep_shell
    exit "$status"
}

# What `larder debug` enters the failed build with; also of a phase that takes too long, which nobody tells that it is stopped.
larder_keep_shell() {
    {
        shopt -p extglob
        declare -p
        declare -f
        printf 'current_phase=%q\ncd %q\n' "$larder_phase" "$PWD"
    } >/build/.larder-failed || true
}

style_configure() {
    case $larder_style in
        autotools)
            (( ${#flags[@]} )) || flags=(--prefix=/usr)
            ./configure "${flags[@]}"
            ;;
        cmake)
            cmake -B build -DCMAKE_POLICY_VERSION_MINIMUM=3.5 -DCMAKE_INSTALL_PREFIX=/usr -DCMAKE_BUILD_TYPE=Release \
                "${flags[@]}"
            ;;
        meson)
            meson setup build --prefix=/usr --libdir=/usr/lib --buildtype=release --wrap-mode=nodownload "${flags[@]}"
            ;;
    esac
}

style_build() {
    case $larder_style in
        autotools) make -j"$IGOS_JOBS" ;;
        make) make -j"$IGOS_JOBS" "${flags[@]}" ;;
        cmake) cmake --build build -j "$IGOS_JOBS" ;;
        meson) ninja -C build -j"$IGOS_JOBS" ;;
    esac
}

style_check() {
    case $larder_style in
        autotools) make check ;;
        make) make "${flags[@]}" check ;;
        cmake) cmake --build build --target test ;;
        meson) ninja -C build test ;;
    esac
}

style_install() {
    case $larder_style in
        autotools) make DESTDIR="$DESTDIR" install ;;
        make) make "${flags[@]}" DESTDIR="$DESTDIR" PREFIX=/usr install ;;
        cmake) cmake --install build ;;
        meson) ninja -C build install ;;
        custom)
            printf 'larder: the style custom needs a build.sh\n' >&2
            exit 1
            ;;
    esac
}

# The function that a phase is in build.sh; the one that installs has two names.
function_of() {
    local candidate
    case $1 in
        install)
            for candidate in "$larder_install_function" do_install install; do
                if declare -F "$candidate" >/dev/null; then
                    printf '%s' "$candidate"
                    return
                fi
            done
            printf 'larder: build.sh has no function %s\n' "$larder_install_function" >&2
            exit 1
            ;;
        *) declare -F "$1" >/dev/null && printf '%s' "$1" ;;
    esac
}

# shellcheck source=../processors.sh
source "$larder_processors"
readonly larder_phase=$1
# Where files go is for who installs: makefiles that find it in their environment look there for what they compile with, too.
[[ $larder_phase == install ]] || export -n DESTDIR
eval "flags=($larder_configure_flags)"
for profile in /etc/profile.d/*.sh; do
    # shellcheck source=/dev/null
    [[ ! -r $profile ]] || source "$profile"
done
unset profile
larder_forget_uncounted

# Read, a build.sh only says what there is to be done. Where it ends the shell, nothing would be, and nobody would notice.
larder_reading=no
larder_on_exit() {
    local status=$?
    [[ $larder_reading == yes && $status == 0 ]] || return 0
    printf 'larder: build.sh ended while it was read, before any function of it was called: `exit` outside of functions?\n' >&2
    exit 1
}
trap larder_on_exit EXIT

set -eE
trap 'larder_on_error $? "$LINENO" "${BASH_SOURCE[0]}" "$BASH_COMMAND"' ERR
if [[ $larder_phase == --defines ]]; then
    [[ -f $larder_build_script ]] || exit 100
    larder_reading=yes
    # shellcheck source=/dev/null
    source "$larder_build_script" >/dev/null
    larder_reading=no
    declare -F "$2" >/dev/null || exit 100
    exit 0
fi
if [[ ! -f $larder_build_script ]]; then
    larder_keep_shell
    "style_$larder_phase"
    exit
fi
larder_reading=yes
# shellcheck source=/dev/null
source "$larder_build_script"
larder_reading=no
larder_function=$(function_of "$larder_phase") || [[ $larder_phase != install ]] || exit 1
larder_keep_shell
[[ -z $larder_function ]] || "$larder_function"
