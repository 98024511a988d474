# Builds a package of a tree of package.yml and build.sh: patch, configure, build, check, install, post_install, then
# what was promised.
#
# Each phase is a fresh shell (phase.sh) in the source directory that stops at the first failing command. What those
# shells find, as the distribution's own builders have it: DESTDIR, PKG_NAME, PKG_VERSION, version, IGOS_JOBS,
# IGOS_SOURCES and IGOS_PATCHES (one directory, with what package.yml declares, and patches that build.sh names), CFLAGS,
# CXXFLAGS; the recipe's directory, where its tree lies in /mnt/intergenos; the function pkg_run_tests.
#
# The tier toolchain makes the system that all others are built in: $IGOS is its root, and what is installed there is the
# package, in that place. Its tools come first in PATH, and nothing is said of CFLAGS.
#
# Nobody is root here. What only root can do (users, owners, services, caches of the whole system) is not done but
# written to usr/share/larder/deferred/NAME in the output (deferred.sh).
#
# shellcheck shell=bash disable=SC2154  # the variables come from package.nix
set -Eeuo pipefail
shopt -s inherit_errexit

export -n "${!larder_@}" system builder outputs
unset name

readonly build_root=/build
readonly source_directory=$build_root/source
readonly repository=/mnt/intergenos
readonly recipe_directory=$repository/packages/$larder_tier/$larder_name
current_phase=start

say() { printf 'larder: %s\n' "$*"; }

fail() {
    trap - ERR EXIT
    printf 'larder: %s: phase %s failed: %s\n' "$larder_package" "$current_phase" "$*" >&2
    # The shell of the phase knows more.
    [[ -e $build_root/.larder-failed ]] || keep_shell
    exit 1
}

# Writes what `larder debug` enters a failed build with: the variables and functions of this shell, and where it is.
keep_shell() {
    {
        shopt -p extglob
        declare -p
        declare -f
        printf 'cd %q\n' "$PWD"
    } >"$build_root/.larder-failed" || true
}

begin_phase() {
    current_phase=$1
    # What a phase left may fail whose failure is known.
    [[ ! -e $build_root/.larder-failed ]] || rm -f "$build_root/.larder-failed"
    say "phase $1"
}

# The tree's place and the recipe in it, so that paths relative to build.sh lead where they do there.
lay_out_recipe() {
    local entry target
    chmod u+w / /mnt "$repository" 2>/dev/null || chmod u+w /
    mkdir -p "$(dirname "$recipe_directory")"
    cp -R --no-dereference "$larder_recipe" "$recipe_directory"
    chmod -R u+w "$recipe_directory"
    if [[ -n ${larder_linked_script-} ]]; then
        rm "$recipe_directory/build.sh"
        cp "$larder_linked_script" "$recipe_directory/build.sh"
    fi
    # One of them may lie in another: what is there already stays, and directories are filled up.
    for entry in "${repository_files[@]}"; do
        target=$repository/${entry%%=/*}
        mkdir -p "$(dirname "$target")"
        if [[ -d $target ]]; then
            fill_up "$target" "/${entry#*=/}"
        else
            cp -R --no-dereference "/${entry#*=/}" "$target"
        fi
        chmod -R u+w "$target"
    done
}

# Copies what is missing; of a directory that is, all at once. Not with `cp --no-clobber`, which fails of what it leaves alone
# from coreutils 9.2 on.
fill_up() {
    local directory=$1 from=$2 path
    while IFS= read -r -d '' path; do
        [[ -e $directory/$path || -L $directory/$path ]] || cp -R --no-dereference "$from/$path" "$directory/$path"
    done < <(find "$from" -mindepth 1 -printf '%P\0')
}

link_into() {
    local directory=$1 entry target
    shift
    mkdir -p "$directory"
    for entry; do
        target=$directory/${entry%%=/*}
        mkdir -p "$(dirname "$target")"
        ln -sfn "/${entry#*=/}" "$target"
    done
}

# An archive with one directory loses it, as tar's --strip-components=1 does.
unpack_source() {
    local entries=()
    mkdir "$source_directory"
    if [[ -z $larder_unpacked ]]; then
        [[ -z $larder_first_source ]] || cp -L "$IGOS_SOURCES/$larder_first_source" "$source_directory"
        return
    fi
    # What only describes an archive is none of it.
    mapfile -d '' entries < <(find "$larder_unpacked" -mindepth 1 -maxdepth 1 \
        ! -name package.xml ! -name package2.xml ! -name pax_global_header -print0)
    if (( ${#entries[@]} == 1 )) && [[ -d ${entries[0]} ]]; then
        cp -R --no-dereference "${entries[0]}/." "$source_directory"
    elif [[ -d $larder_unpacked/$larder_name-$larder_version ]]; then
        cp -R --no-dereference "$larder_unpacked/$larder_name-$larder_version/." "$source_directory"
    else
        cp -R --no-dereference "$larder_unpacked/." "$source_directory"
    fi
    chmod -R u+w "$source_directory"
}

# `NAME -> DIRECTORY`: the source that begins with NAME is unpacked there. Patches, which may begin so too, come later.
unpack_bundled() {
    local entry archive target
    for entry in "${bundled[@]}"; do
        archive=$(compgen -G "$IGOS_SOURCES/${entry%% *}*" | head -n 1) || fail "no source is called ${entry%% *}"
        target=$source_directory/${entry##* }
        mkdir -p "$target"
        tar -xf "$archive" --strip-components=1 -C "$target"
    done
}

# One time for every file: nothing is generated anew by accident.
level_time_stamps() { find "$source_directory" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +; }

# What patches changed is newer by a second, so that what is generated from it is generated anew.
level_patched() {
    find "$source_directory" -type d -exec touch -d "@$SOURCE_DATE_EPOCH" {} +
    find "$source_directory" -newermt "@$SOURCE_DATE_EPOCH" -exec touch -h -d "@$((SOURCE_DATE_EPOCH + 1))" {} +
}

patch_text() {
    case $1 in
        *.gz) gzip -dc "$1" ;;
        *.bz2) bzip2 -dc "$1" ;;
        *.xz) xz -dc "$1" ;;
        *.zst) zstd -dcq "$1" ;;
        *) cat "$1" ;;
    esac
}

apply_patches() {
    local entry file
    cd "$source_directory"
    for entry in "${patches[@]}"; do
        file=${entry%%=/*}
        say "patch $file"
        patch_text "$IGOS_PATCHES/$file" | patch -Np1 --batch --no-backup-if-mismatch || fail "$file does not apply"
    done
}

# There, libraries lie in /usr/lib whatever their architecture; cmake and meson think of lib64 on machines like this one.
# Both are changed as that distribution changes its cmake, where a recipe has to do with them.
choose_library_directory() {
    local file
    case $larder_style in
        cmake | meson) ;;
        *) grep -qE 'cmake|meson' "$recipe_directory/build.sh" || return 0 ;;
    esac
    for file in /usr/share/cmake*/Modules/GNUInstallDirs.cmake \
        /usr/lib/python3*/{dist,site}-packages/mesonbuild/utils/universal.py; do
        [[ -f $file ]] || continue
        chmod u+w "$(dirname "$file")"
        sed -i -e '/"lib64"/s/64//' -e "/'lib64'/s/64//" "$file"
    done
}

# The phase's shell, in the source directory: a process of its own, whose errexit no condition out here can switch off.
run_phase() {
    local phase=$1
    shift
    cd "$source_directory"
    env "$@" "${phase_environment[@]}" bash "$larder_phase_script" "$phase"
}

run_or_fail() {
    local phase=$1 status=0
    begin_phase "$phase"
    run_phase "$@" || status=$?
    (( status == 0 )) || { refuse_doubled_staging; fail "it ended with status $status"; }
}

run_check() {
    local status=0
    if [[ $larder_tests == off ]]; then
        say "phase check is off: $larder_tests_reason"
        return
    fi
    begin_phase check
    cp "$noted" "$noted.before"
    run_phase check "DESTDIR=$staging" "MAKEFLAGS=$job_server" || status=$?
    # Users for the tests, and what becomes theirs, are none of the package's.
    mv -f "$noted.before" "$noted"
    if (( status != 0 )) && [[ $larder_tests == known-failures ]]; then
        say "tests failed with status $status, as known: $larder_tests_reason"
    elif (( status != 0 )); then
        fail "it ended with status $status"
    fi
}

# Old places lead to /usr while files are installed, as in the root.
readonly merged=(bin:usr/bin sbin:usr/sbin lib:usr/lib lib64:usr/lib64)

make_staging() {
    local pair
    mkdir -p "$staging"
    for pair in "${merged[@]}"; do
        mkdir -p "$staging/${pair#*:}"
        ln -s "${pair#*:}" "$staging/${pair%%:*}"
    done
}

drop_staging_links() {
    local pair
    for pair in "${merged[@]}"; do
        [[ ! -L $staging/${pair%%:*} ]] || rm "$staging/${pair%%:*}"
        [[ ! -d $staging/${pair#*:} ]] || rmdir --ignore-fail-on-non-empty "$staging/${pair#*:}"
    done
    [[ ! -d $staging/usr ]] || rmdir --ignore-fail-on-non-empty "$staging/usr"
}

# Of a running system, where recipes leave things before they install: those go with the build.
readonly system_directories=(/usr /usr/bin /usr/include /usr/lib /usr/libexec /usr/local /usr/sbin /usr/share /etc /opt /run
    /srv /var /var/cache /var/lib /var/log /var/spool)

open_system() {
    local directory
    for directory in "${system_directories[@]}"; do
        mkdir -p "$directory"
        really chmod u+w "$directory"
    done
}

# What is installed there, and not below $DESTDIR, would be lost: also in what a recipe has made there before.
close_system() { find /usr /etc /opt /run /srv /var -xdev -type d -perm -u+w -exec "$programs/chmod" u-w {} +; }

# The root of the system to be, as who makes it finds it.
open_toolchain() {
    local directory
    find "$IGOS" -xdev -type d ! -perm -u+w -exec "$programs/chmod" u+w {} +
    mkdir -p "$IGOS"/{etc,lib64,tools,usr/{bin,include,lib,sbin},var}
    for directory in bin lib sbin; do
        [[ -e $IGOS/$directory ]] || ln -s "usr/$directory" "$IGOS/$directory"
    done
    touch "$build_root/opened"
    sleep 0.05
}

# What is new below $IGOS is the package's, in its place.
take_toolchain() {
    local file
    while IFS= read -r -d '' file; do
        mkdir -p "$staging/$(dirname "${file#/}")"
        cp --no-dereference --remove-destination "$file" "$staging/${file#/}"
    done < <(find "$IGOS" -xdev -path "$IGOS/packages" -prune -o \( -type f -o -type l \) -cnewer "$build_root/opened" \
        -print0)
}

# The root as it is when the package is installed; what is written from now on is the package's.
enter_live_root() {
    find / -xdev -type d ! -perm -u+w ! -path '/proc/*' ! -path '/larder/*' \
        -exec "$programs/chmod" u+w {} + 2>/dev/null || true
    # Lists that several packages add to are written in their places.
    find /etc /var -xdev -type f ! -perm -u+w -exec "$programs/chmod" u+w {} + 2>/dev/null || true
    cp -R --no-dereference --remove-destination "$staging/." /
    place_stand_ins "${stand_ins[@]}" "${live_stand_ins[@]}"
    go_live
    live_directories >"$build_root/directories"
    live_files >"$build_root/files"
    touch "$build_root/entered"
    sleep 0.05
}

live_entries() {
    find / -xdev \( -path /proc -o -path /sys -o -path /dev -o -path /build -o -path /tmp -o -path /larder -o -path /mnt \
        -o -path /run -o -path /var/tmp \) -prune -o "$@" -print0
}

live_directories() { live_entries -type d | sort -z; }

live_files() { live_entries \( -type f -o -type l \) | sort -z; }

# Brings what was written to the root, and what is gone from there, into the output.
leave_live_root() {
    local file
    live_entries \( -type f -o -type l \) -cnewer "$build_root/entered" | sort -z >"$build_root/changed"
    tell_changed
    while IFS= read -r -d '' file; do
        mkdir -p "$staging/${file#/}"
        "$programs/chmod" --reference="$file" "$staging/${file#/}"
    done < <(live_directories | comm -z -13 "$build_root/directories" -)
    while IFS= read -r -d '' file; do
        mkdir -p "$staging/$(dirname "${file#/}")"
        cp --no-dereference --remove-destination "$file" "$staging/${file#/}"
    done <"$build_root/changed"
    while IFS= read -r -d '' file; do
        [[ -e /$file || -L /$file ]] || rm "$staging/$file"
    done < <(find "$staging" ! -type d -printf '%P\0')
    while IFS= read -r -d '' file; do
        [[ -d /$file ]] || rmdir "$staging/$file"
    done < <(find "$staging" -depth -mindepth 1 -type d -printf '%P\0')
}

# A root that has another package with the same file must know whose file wins.
tell_changed() {
    local file others=()
    while IFS= read -r -d '' file; do
        [[ -e $staging$file || -L $staging$file ]] || others+=("$file")
    done < <(comm -z -12 "$build_root/files" "$build_root/changed")
    (( ! ${#others[@]} )) || say "changed files that were there (${#others[@]}), such as ${others[0]}:" \
        'where they are of other packages of the tree, say so in installedOver'
}

install_directly() {
    begin_phase install
    say 'installs straight into the root: what is new there is the package'
    enter_live_root
    run_phase install DESTDIR= || fail "it ended with status $?"
    leave_live_root
}

# Whether build.sh has a function, seen as it is when files are installed.
defines() {
    local status=0
    cd "$source_directory"
    env "DESTDIR=$staging" "${phase_environment[@]}" bash "$larder_phase_script" --defines "$1" || status=$?
    (( status == 0 || status == 100 )) || fail "build.sh ended with status $status when it was looked for $1"
    return "$status"
}

run_post_install() {
    local status=0
    defines post_install || return 0
    if [[ $larder_post_install == no ]]; then
        say 'phase post_install is left to the image'
        return
    fi
    begin_phase post_install
    enter_live_root
    run_phase post_install || status=$?
    (( status == 0 )) || fail "it ended with status $status: it asks for what is impossible while a package is built." \
        'Install what it makes in do_install, or leave it to the image: withoutPostInstall'
    leave_live_root
}

# Indexes of whole systems, which every package would own. `larder lint` knows them, too (foreign/src/promises.rs).
drop_shared_indexes() {
    local index
    while IFS= read -r index; do
        say "left out, for it is of the whole system: ${index#"$staging"/}"
        rm "$index"
    done < <(find "$staging" -type f \( -path "$staging/*/share/info/dir" -o -path "$staging/etc/ld.so.cache" \
        -o -path "$staging/usr/share/applications/mimeinfo.cache" -o -path "$staging/usr/share/mime/mime.cache" \
        -o -path "$staging/usr/share/glib-2.0/schemas/gschemas.compiled" -o -path "$staging/etc/machine-id" \
        -o -name perllocal.pod -o -name icon-theme.cache \))
}

# What is told where files go by DESTDIR in its environment, and once more by the recipe.
refuse_doubled_staging() {
    [[ ! -d $staging$staging ]] || fail "files lie in \$DESTDIR/\$DESTDIR: the recipe says it twice, for make has DESTDIR" \
        'from its environment. Say prefix=/usr and leave DESTDIR to the environment'
}

finish() {
    begin_phase finish
    refuse_doubled_staging
    drop_staging_links
    drop_shared_indexes
    [[ -n $(find "$staging" -mindepth 1 -print -quit) ]] || fail 'nothing was installed: the output is empty'
    keep_deferred
}

# Through a link that leads out of the package, anybody could keep a promise. What it leads to may be the package's own.
refuse_promises_elsewhere() {
    local path parent root own
    root=$(realpath "$staging")
    for path in "${promises[@]}"; do
        parent=$(realpath -m "$staging/$(dirname "$path")")
        own=$root$parent/${path##*/}
        [[ $parent/ == "$root"/* || -e $own || -L $own ]] ||
            fail "the promise $path leads out of the package, to ${parent#"$root"}: promise the path that it installs"
    done
}

# A promise names a path of the running system; the old places are links there.
normalise_promises() {
    local index path
    for index in "${!promises[@]}"; do
        path=${promises[index]#/}
        case $path in bin/* | sbin/* | lib/* | lib64/*) path=usr/$path ;; esac
        promises[index]=${path%/}
    done
}

trap 'fail "exit status $? from: ${BASH_COMMAND%%$'"'\n'"'*}"' ERR
eval "sources=($larder_sources)"
eval "patches=($larder_patches)"
eval "other_patches=($larder_other_patches)"
eval "repository_files=($larder_repository)"
eval "bundled=($larder_bundled)"
eval "promises=($larder_promises)"
# shellcheck source=../promises.sh
source "$larder_promise_check"
readonly staging=$out
# shellcheck source=deferred.sh
source "$larder_deferred"

readonly job_server=${MAKEFLAGS:-}
unset MAKEFLAGS
export IGOS_SOURCES=$build_root/sources IGOS_PATCHES=$build_root/sources IGOS=$repository
export IGOS_JOBS=${LARDER_JOBS:-1} TESTSUITEFLAGS=-j${LARDER_JOBS:-1}
export PATH=/usr/bin:/usr/sbin:/bin:/sbin:/opt/rustc/bin
if [[ $larder_tier == toolchain ]]; then
    export PATH=$IGOS/tools/bin:$PATH CONFIG_SITE=$IGOS/usr/share/config.site LC_ALL=POSIX
else
    export CFLAGS='-march=x86-64-v2 -mtune=generic -O2 -pipe'
    export CXXFLAGS=$CFLAGS
fi
# The seed's Python would install to /usr/local, and not at all into a root that is not said to be another.
export DEB_PYTHON_INSTALL_LAYOUT=deb PIP_BREAK_SYSTEM_PACKAGES=1
# What builds with meson or setuptools of the environment may be another of them, which is installed all the same, and alone.
export PIP_IGNORE_INSTALLED=1 PIP_NO_DEPS=1
phase_environment=(
    "PKG_NAME=$larder_name" "PKG_VERSION=$larder_version" "version=$larder_version"
    "larder_recipe_directory=$recipe_directory" "larder_style=$larder_style"
    "larder_configure_flags=$larder_configure_flags" "larder_tests=$larder_tests"
    "larder_tests_reason=$larder_tests_reason" "larder_install_function=$larder_install_function"
    "larder_processors=$larder_processors"
)
export larder_recipe_directory=$recipe_directory

[[ -z $larder_target ]] || phase_environment+=("IGOS_TARGET=$larder_target")

mkdir -p "$HOME"
lay_out_recipe
link_into "$IGOS_SOURCES" "${sources[@]}"
unpack_source
unpack_bundled
link_into "$IGOS_PATCHES" "${other_patches[@]}" "${patches[@]}" "${sources[@]}"
level_time_stamps
begin_phase patch
apply_patches
level_patched
choose_library_directory
make_staging
make_stand_in
open_system
place_stand_ins "${stand_ins[@]}"
[[ $larder_tier != toolchain ]] || open_toolchain
run_or_fail configure "DESTDIR=$staging"
run_or_fail build "DESTDIR=$staging" "MAKEFLAGS=$job_server"
run_check
if [[ $larder_direct_install == yes ]]; then
    install_directly
else
    close_system
    run_or_fail install "DESTDIR=$staging"
fi
run_post_install
[[ $larder_tier != toolchain ]] || take_toolchain
finish
begin_phase verify
normalise_promises
refuse_promises_elsewhere
check_promises
trap - ERR
say "done after ${SECONDS} s"
