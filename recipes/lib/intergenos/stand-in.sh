#!/usr/bin/bash
# Stands in for programs that act on the running system, which no build can: what they are asked for is written down for
# the image, one line each: `owner OWNER[:GROUP] PATH`, `mode MODE PATH`, `run COMMAND…`.
#
#     stand-in.sh --install DIRECTORY FILE   makes links to FILE, one for each program
#
# shellcheck shell=bash disable=SC2154  # the variables come from phases.sh
set -euo pipefail

# Of any phase.
readonly always=(chmod chown chgrp install su runuser useradd userdel usermod groupadd groupdel groupmod gpasswd passwd systemctl
    udevadm setcap setfacl apparmor_parser systemd-sysusers systemd-tmpfiles systemd-hwdb ldconfig)
# Of post_install only: elsewhere they work on the build's own files.
readonly when_live=(glib-compile-schemas gtk-update-icon-cache gtk4-update-icon-cache update-desktop-database
    update-mime-database fc-cache gdk-pixbuf-query-loaders gio-querymodules depmod install-info mkfontscale mkfontdir
    journalctl systemd-machine-id-setup)

if [[ ${1-} == --install ]]; then
    mkdir -p "$2"
    cp "$3" "$2/.stand-in"
    chmod 755 "$2/.stand-in"
    for program in "${always[@]}" "${when_live[@]}"; do
        ln -s .stand-in "$2/$program"
    done
    exit
fi

readonly called=${0##*/}
own=$(cd "${0%/*}" && pwd)
readonly own

# The directories of PATH but this one, wherever a build has put it.
path_without_own() {
    local path=:$PATH:
    path=${path//":$own:"/:}
    path=${path#:}
    printf '%s' "${path%:}"
}

# The program itself.
real() {
    PATH=$(path_without_own)
    exec "$called" "$@"
}

defer() { printf '%s\n' "$*" >>"$larder_deferred"; }

# A path in the package, as the running system has it; nothing for paths elsewhere.
installed() {
    local path
    path=$(realpath -ms "$1")
    case $path in
        "$larder_staging"/*) printf '%s' "${path#"$larder_staging"/}" ;;
        /build/* | /tmp/* | /larder/*) ;;
        *) [[ -z ${LARDER_LIVE-} ]] || printf '%s' "${path#/}" ;;
    esac
}

# chown and chgrp: the files are there, or the call is wrong.
owner() {
    local prefix=$1 word words=() file path below=no
    shift
    for word; do
        case $word in
            -R | --recursive | -*R*) below=yes ;;
            -*) ;;
            *) words+=("$word") ;;
        esac
    done
    for file in "${words[@]:1}"; do
        [[ -e $file || -L $file ]] || { printf '%s: %s does not exist\n' "$called" "$file" >&2; exit 1; }
        path=$(installed "$file")
        [[ -z $path ]] || defer "owner $prefix${words[0]} $path$([[ $below == no ]] || printf '/**')"
    done
}

# A mode without setuid, setgid and sticky bits, which no file of a build can have.
plain_mode() {
    case $1 in
        [1-7][0-7][0-7][0-7]) printf '%s' "${1:1}" ;;
        *[0-9]*) printf '%s' "$1" ;;
        *) printf '%s' "${1//[st]/}" ;;
    esac
}

# chmod: special bits are written down.
mode() {
    local word options=() words=() plain file path
    for word; do
        case $word in
            --reference=* | -R | --recursive | -[cfv] | -[cfvR][cfvR]*) options+=("$word") ;;
            *) words+=("$word") ;;
        esac
    done
    (( ${#words[@]} )) || real "$@"
    plain=$(plain_mode "${words[0]}")
    [[ " ${options[*]} " != *--reference* && $plain != "${words[0]}" ]] || real "$@"
    for file in "${words[@]:1}"; do
        path=$(installed "$file")
        [[ -z $path ]] || defer "mode ${words[0]} $path"
    done
    real "${options[@]}" "$plain" "${words[@]:1}"
}

# install without owners and special bits; whose the files become is written down.
install_plainly() {
    local user='' group='' mode='' words=() word target file path
    while (( $# )); do
        word=$1
        shift
        case $word in
            -o | --owner) user=$1; shift ;;
            -g | --group) group=$1; shift ;;
            -m | --mode) mode=$1; shift ;;
            --owner=*) user=${word#*=} ;;
            --group=*) group=${word#*=} ;;
            --mode=*) mode=${word#*=} ;;
            -m?*) mode=${word#-m} ;;
            *) words+=("$word") ;;
        esac
    done
    [[ -z $mode ]] || words=(-m "$(plain_mode "$mode")" "${words[@]}")
    PATH=$(path_without_own) command install "${words[@]}"
    target=${words[-1]}
    for file in "${words[@]}"; do
        path=$target
        [[ ! -d $target || ! -f $file ]] || path=$target/${file##*/}
        path=$(installed "$path")
        [[ -n $path && ( $file == "$target" || -f $file ) ]] || continue
        [[ -z $user$group ]] || defer "owner ${user:-root}:${group:-root} $path"
        [[ -z $mode || $(plain_mode "$mode") == "$mode" ]] || defer "mode $mode $path"
    done
}

# Another user's command is run by this one.
as_user() {
    local command='' word
    while (( $# )); do
        word=$1
        shift
        case $word in
            -c | --command) command=$1; shift ;;
            -s | -g | -G | --shell) shift ;;
            --) break ;;
            *) ;;
        esac
    done
    if [[ -n $command ]]; then exec bash -c "$command"; fi
    exec "$@"
}

case $called in
    chown) owner '' "$@" ;;
    chgrp) owner ':' "$@" ;;
    chmod) mode "$@" ;;
    install) install_plainly "$@" ;;
    su | runuser) as_user "$@" ;;
    ldconfig) case " $* " in *' -n '* | *' -N '* | *' -p '* | *' --version '*) real "$@" ;; *) defer "run $called${*:+ $*}" ;; esac ;;
    systemctl)
        case " $* " in *' --version '*) real "$@" ;; *) defer "run $called${*:+ $*}" ;; esac
        ;;
    *)
        if [[ " ${when_live[*]} " == *" $called "* && -z ${LARDER_LIVE-} ]]; then real "$@"; fi
        defer "run $called${*:+ $*}"
        ;;
esac
