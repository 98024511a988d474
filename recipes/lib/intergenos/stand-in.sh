# Stands in for programs that act on the running system, which no build can. What they are asked for is noted, and comes
# to data of the package in the end (deferred.sh). It lies where the programs do, so that nothing remembers another path;
# the programs themselves lie in /build/programs meanwhile.
#
# shellcheck shell=bash disable=SC2154  # staging, programs and noted are set by deferred.sh, in a line before these
set -euo pipefail

readonly called=${0##*/}

# The program itself.
real() {
    [[ -e $programs/$called ]] || { printf '%s: command not found\n' "$called" >&2; exit 127; }
    exec -a "$called" "$programs/$called" "$@"
}

# One line, its words quoted as `quoted` does in deferred.sh; paths in the package as the running system has them.
note() {
    local line=$1 word
    shift
    for word; do
        word=${word//"$staging/"//}
        [[ $word =~ ^[A-Za-z0-9_@%+=:,./^-]+$ ]] || word=${word@Q}
        line+=" $word"
    done
    printf '%s\n' "$line" >>"$noted"
}

# A command, with paths as they are from anywhere; some are about the directory that they are called in.
note_call() {
    local word words=()
    [[ $# != 0 || $called != mkfont* ]] || set -- .
    for word; do
        [[ $word == [-/]* || $PWD == / || ! -e $word ]] || word=$(realpath -ms -- "$word")
        words+=("$word")
    done
    note run "$called" "${words[@]}"
}

# Takes a command line apart as getopt_long does: `options`, their `values`, and the `operands`.
take_apart() {
    local short_with_value=$1 long_with_value=" $2 " word letters
    shift 2
    options=() values=() operands=()
    while (( $# )); do
        word=$1
        shift
        case $word in
            --) operands+=("$@"); return ;;
            --*=*) options+=("${word%%=*}") values+=("${word#*=}") ;;
            --*)
                options+=("$word")
                if [[ $long_with_value == *" $word "* ]]; then values+=("${1-}"); shift || true; else values+=(''); fi
                ;;
            -?*)
                letters=${word#-}
                while [[ -n $letters ]]; do
                    options+=("-${letters:0:1}")
                    if [[ $short_with_value != *"${letters:0:1}"* ]]; then
                        values+=('')
                        letters=${letters:1}
                        continue
                    fi
                    if (( ${#letters} > 1 )); then values+=("${letters:1}"); else values+=("${1-}"); shift || true; fi
                    letters=
                done
                ;;
            *) operands+=("$word") ;;
        esac
    done
}

# Says in `installed` where a path of the package is in the running system; nothing for paths elsewhere.
find_installed() {
    local directory
    directory=$(realpath -m -- "$(dirname -- "$1")")
    installed=${directory%/}/$(basename -- "$1")
    case $installed in
        "$staging"/*) installed=${installed#"$staging"/} ;;
        /build/* | /tmp/* | /larder/*) installed= ;;
        *) if [[ -e $programs/.live ]]; then installed=${installed#/}; else installed=; fi ;;
    esac
}

# Notes something of a path, and with `below` of all in it.
note_path() {
    local below=$1 what=$2 value=$3 file=$4 installed
    find_installed "$file"
    [[ -n $installed ]] || return 0
    if [[ $below == yes && -d $file && ! -L $file ]]; then
        while IFS= read -r -d '' file; do
            note "$what" "$value" "$installed${file:+/$file}"
        done < <(find "$file" -printf '%P\0')
    else
        note "$what" "$value" "$installed"
    fi
}

# `USER[:GROUP]` with both in it; what is not said stays empty. A point was once the colon.
owner_of() {
    local text=$1
    [[ $text == *:* || $text != *.* ]] || text=${text/./:}
    [[ $text == *: ]] && text+=${text%:}
    [[ $text == *:* ]] || text+=:
    printf '%s' "$text"
}

# chown and chgrp: the files are there, or the call is wrong.
change_owner() {
    local prefix=$1 below=no quiet=no owner option file
    shift
    take_apart '' '--from --reference' "$@"
    for option in "${options[@]}"; do
        case $option in
            -R | --recursive) below=yes ;;
            -f | --silent | --quiet) quiet=yes ;;
            --help | --version | --reference) real "$@" ;;
        esac
    done
    (( ${#operands[@]} > 1 )) || { printf '%s: missing operand\n' "$called" >&2; exit 1; }
    owner=$(owner_of "$prefix${operands[0]}")
    for file in "${operands[@]:1}"; do
        if [[ -e $file || -L $file ]]; then
            note_path "$below" owner "$owner" "$file"
        elif [[ $quiet == no ]]; then
            printf "%s: cannot access '%s': No such file or directory\n" "$called" "$file" >&2
            exit 1
        fi
    done
}

# Says in `plain` a mode without setuid, setgid and sticky bits, which no file of a build can have, and in `special`
# what becomes of those: `=4000`, `+2000`, `-6000`, one such word for each clause, or nothing.
split_mode() {
    local mode=$1 clause bits
    plain=$mode special=
    if [[ $mode =~ ^[-+=]?[0-7]+$ ]]; then
        bits=${mode#[-+=]}
        printf -v plain '%s%o' "${mode%"$bits"}" $((8#$bits & 8#777))
        printf -v special '%o' $((8#$bits & 8#7000))
        case $mode in
            [-+]*) if [[ $special == 0 ]]; then special=; else special=${mode:0:1}$special; fi ;;
            *) special="=$special" ;;
        esac
        return
    fi
    [[ $mode == *[st]* ]] || return 0
    plain=${mode//[st]/}
    while IFS= read -r -d , clause; do
        bits=0
        [[ $clause != *s* || ( $clause == *g* && $clause != *[ua]* ) ]] || bits=$((bits | 8#4000))
        [[ $clause != *s* || ( $clause == *u* && $clause != *[ga]* ) ]] || bits=$((bits | 8#2000))
        [[ $clause != *t* ]] || bits=$((bits | 8#1000))
        (( bits == 0 )) || printf -v special '%s%s%o ' "$special" "$([[ $clause == *-* ]] && printf '%s' - || printf '%s' +)" "$bits"
    done <<<"$mode,"
}

# chmod: special bits are noted.
change_mode() {
    local below=no mode='' word file plain special arguments=()
    for word; do
        case $word in
            -R | --recursive | -[cfv]*R* | -R[cfv]*) below=yes ;;
            --reference*) real "$@" ;;
            --* | -[cfv]*) ;;
            *)
                if [[ -z $mode ]]; then
                    mode=$word
                    split_mode "$mode"
                    word=$plain
                else
                    find_special "$word"
                fi
                ;;
        esac
        arguments+=("$word")
    done
    real "${arguments[@]}"
}

find_special() {
    [[ $special == =0 && ! -s $noted ]] || note_special_bits "$below" "$1"
}

note_special_bits() {
    local change
    for change in $special; do note_path "$1" special "$change" "$2"; done
}

# install without owners and special bits; whose the files become is noted.
install_plainly() {
    local user='' group='' plain='' special='' target='' directories=no whole=no arguments=() index file
    [[ "$*" == *-* ]] || real "$@"
    take_apart gmoSt '--group --mode --owner --suffix --target-directory --strip-program' "$@"
    for index in "${!options[@]}"; do
        case ${options[index]} in
            -o | --owner) user=${values[index]} ; continue ;;
            -g | --group) group=${values[index]} ; continue ;;
            -m | --mode)
                split_mode "${values[index]}"
                arguments+=("--mode=$plain")
                continue
                ;;
            -t | --target-directory) target=${values[index]} ;;
            -d | --directory) directories=yes ;;
            -T | --no-target-directory) whole=yes ;;
        esac
        case ${options[index]}=${values[index]} in
            --*=) arguments+=("${options[index]}") ;;
            --*) arguments+=("${options[index]}=${values[index]}") ;;
            *=) arguments+=("${options[index]}") ;;
            *) arguments+=("${options[index]}" "${values[index]}") ;;
        esac
    done
    [[ $special != =0 || -s $noted ]] || special=
    [[ -n $user$group$special ]] || real "${arguments[@]}" -- "${operands[@]}"
    (exec -a "$called" "$programs/$called" "${arguments[@]}" -- "${operands[@]}")
    if [[ $directories == no && -z $target ]]; then
        target=${operands[-1]}
        unset 'operands[-1]'
        [[ $whole == no && -d $target ]] || operands=("$target") target=
    fi
    for file in "${operands[@]}"; do
        [[ -z $target ]] || file=$target/${file##*/}
        [[ -z $user$group ]] || note_path no owner "${user:-root}:${group:-root}" "$file"
        note_special_bits no "$file"
    done
}

# Another user's command is run by this one: `su [-s SHELL] USER -c COMMAND`, `su USER` with a script as its input, `runuser
# -u USER COMMAND…`.
as_user() {
    local command='' user='' shell=bash plain=no word
    while (( $# )); do
        word=$1
        shift
        case $word in
            -c | --command | --session-command) command=$1; shift ;;
            --command=*) command=${word#*=} ;;
            -u | --user) user=$1 plain=yes; shift ;;
            -s | --shell) shell=$1; shift ;;
            -s*) shell=${word#-s} ;;
            --shell=*) shell=${word#*=} ;;
            -g | -G | -w | --group | --supp-group | --whitelist-environment) shift ;;
            --) break ;;
            -*) ;;
            *) if [[ -n $user ]]; then set -- "$word" "$@"; break; fi; user=$word ;;
        esac
    done
    [[ $plain == no ]] || exec "$@"
    if [[ -n $command ]]; then exec "$shell" -c "$command" "${shell##*/}" "$@"; fi
    exec "$shell" "$@"
}

# systemctl: units are enabled by links, which anybody can make; what asks a running manager for something is for nobody.
control_services() {
    local root=/ scope=system word words=()
    for word; do
        case $word in
            --root=*) root=${word#*=} ;;
            --user | --global) scope=user ;;
            --version) real "$@" ;;
            -*) ;;
            *) words+=("$word") ;;
        esac
    done
    if [[ $root == / && ! -e $programs/.live ]]; then
        note run "$called" "$@"
        return
    fi
    case ${words[0]-} in
        enable | disable | reenable)
            for word in "${words[@]:1}"; do "${words[0]#re}_unit" "$word"; done
            ;;
        mask) for word in "${words[@]:1}"; do link_unit /dev/null "$(unit_name "$word")"; done ;;
        unmask) for word in "${words[@]:1}"; do rm -f "${root%/}/etc/systemd/$scope/$(unit_name "$word")"; done ;;
        set-default) link_unit "/usr/lib/systemd/system/$(unit_name "${words[1]}")" default.target ;;
        daemon-reload | daemon-reexec | start | stop | restart | try-restart | reload | reload-or-restart | \
            try-reload-or-restart | condrestart | kill | reset-failed) ;;
        is-active | is-enabled | is-failed | is-system-running | status) exit 1 ;;
        *) note run "$called" "$@" ;;
    esac
}

unit_name() { if [[ $1 == *.* ]]; then printf '%s' "$1"; else printf '%s.service' "$1"; fi; }

link_unit() {
    local link=${root%/}/etc/systemd/$scope/$2
    mkdir -p "${link%/*}"
    ln -sfn "$1" "$link"
}

# Says in `unit` and `file` what is called so; a name with an instance is described by its template.
find_unit() {
    local directory
    unit=$(unit_name "${1##*/}") file=
    for directory in "etc/systemd/$scope" "usr/lib/systemd/$scope"; do
        for file in "$directory/$unit" "$directory/${unit%%@*}@.${unit##*.}"; do
            [[ ! -f ${root%/}/$file ]] || return 0
        done
    done
    file=
}

# The words that the section [Install] has for a key.
unit_says() {
    awk -v key="$1" '/^\[/ { here = /^\[Install\]/ } here && $0 ~ "^" key "[ \t]*=" { sub(/^[^=]*=/, ""); print }' \
        "${root%/}/$file"
}

# Units may name each other in `Also`.
declare -A enabled=()

enable_unit() {
    local unit file word
    find_unit "$1"
    [[ -z ${enabled[$unit]-} ]] || return 0
    enabled[$unit]=yes
    if [[ -z $file ]]; then
        # It may be another package's.
        note run "$called" enable "$unit"
        return
    fi
    for word in $(unit_says WantedBy); do link_unit "/$file" "$word.wants/$unit"; done
    for word in $(unit_says RequiredBy); do link_unit "/$file" "$word.requires/$unit"; done
    for word in $(unit_says Alias); do link_unit "/$file" "$word"; done
    for word in $(unit_says Also); do enable_unit "$word"; done
}

disable_unit() {
    local unit file
    find_unit "$1"
    [[ ! -d ${root%/}/etc/systemd/$scope ]] || find "${root%/}/etc/systemd/$scope" -type l -name "$unit" -delete
}

case $called in
    chown) change_owner '' "$@" ;;
    chgrp) change_owner : "$@" ;;
    chmod) change_mode "$@" ;;
    install) install_plainly "$@" ;;
    su | runuser) as_user "$@" ;;
    systemctl) control_services "$@" ;;
    ldconfig) case " $* " in *' -n '* | *' -N '* | *' -p '* | *' --version '*) real "$@" ;; *) note run "$called" "$@" ;; esac ;;
    *) note_call "$@" ;;
esac
