# What only root can do, and a build therefore leaves to the image: the stand-ins for the programs that do it, and what
# comes of their notes in usr/share/larder/deferred/NAME, a line each, words as a shell reads them:
#
#     owner USER:GROUP PATH     whose the path is
#     mode MODE PATH            a mode that is more than whether it can be executed
#     run COMMAND WORD…         users, groups, and what keeps books on the whole system
#
# Who sources this has `say`, `build_root`, `staging` and the name of the package.
#
# shellcheck shell=bash disable=SC2154,SC2034  # variables are shared with the script that sources this

readonly programs=$build_root/programs
readonly noted=$build_root/noted

# Of any phase.
readonly stand_ins=(chmod chown chgrp install su runuser useradd userdel usermod groupadd groupdel groupmod groupmems
    gpasswd passwd chpasswd pwconv grpconv systemctl udevadm setcap setfacl apparmor_parser systemd-sysusers
    systemd-tmpfiles systemd-hwdb ldconfig)
# Of post_install only: elsewhere they work on the build's own files.
readonly live_stand_ins=(glib-compile-schemas gtk-update-icon-cache gtk4-update-icon-cache update-desktop-database
    update-mime-database fc-cache gdk-pixbuf-query-loaders gio-querymodules depmod install-info mkfontscale mkfontdir
    journalctl systemd-machine-id-setup dbus-uuidgen ssh-keygen mandb sysctl)
readonly program_directories=(/usr/bin /usr/sbin)

# Before anything else here: the text of the stand-in, which knows where it works, for builds clear their environment.
make_stand_in() {
    mkdir -p "$programs"
    : >"$noted"
    {
        printf '#!/usr/bin/bash\nreadonly staging=%q programs=%q noted=%q\n' "$staging" "$programs" "$noted"
        cat "$larder_stand_in"
    } >"$programs/.stand-in"
    really chmod 755 "$programs/.stand-in"
}

# From now on, what is written to the root is the package's: no compiled modules of the seed's Python, when programs of it run.
go_live() {
    touch "$programs/.live"
    export PYTHONDONTWRITEBYTECODE=1
}

# Puts the stand-in in the place of programs, which lie in /build/programs from then on. What a package has brought since
# the last time is taken for the program.
place_stand_ins() {
    local program directory target found
    for program; do
        found=no
        for directory in "${program_directories[@]}"; do
            target=$directory/$program
            [[ -e $target || -L $target ]] || continue
            found=yes
            is_stand_in "$target" || keep_program "$target"
            put_stand_in "$target"
        done
        [[ $found == yes ]] || put_stand_in "/usr/bin/$program"
    done
}

# By its second line, read without any program: what compares files is nothing that every environment has.
is_stand_in() {
    local line=
    [[ ! -f $1 ]] || { read -r && IFS= read -r line; } <"$1" || true
    [[ $line == 'readonly staging='* ]]
}

# A link would lead elsewhere from where the programs are kept.
keep_program() {
    local program=$programs/${1##*/}
    if [[ -L $1 ]]; then ln -sfn "$(readlink -f "$1")" "$program"; else cp -p --remove-destination "$1" "$program"; fi
}

put_stand_in() { cp -p --remove-destination "$programs/.stand-in" "$1"; }

# A program, whether or not something stands in for it by now.
really() {
    local program=$1
    shift
    if [[ -x $programs/$program ]]; then "$programs/$program" "$@"; else "$program" "$@"; fi
}

# Lines are read by `eval`: brackets would be patterns of file names there, or indices.
quoted() { if [[ $1 =~ ^[A-Za-z0-9_@%+=:,./^-]+$ ]]; then printf '%s' "$1"; else printf '%s' "${1@Q}"; fi; }

# Modes that are more than whether a file can be executed: not everybody may read it, or everybody write.
note_modes() {
    local mode path
    while IFS=' ' read -r -d '' mode path; do
        modes[$path]=$mode
    done < <(find "$staging" -mindepth 1 ! -type l \( -perm -1000 -o -perm -0002 -o ! -perm -0004 \) -printf '%m %P\0')
}

note_special() {
    local change=$1 path=$2 before=${specials[$2]:-0} bits
    bits=$((8#${change:1}))
    case $change in
        =*) specials[$path]=$bits ;;
        +*) specials[$path]=$((before | bits)) ;;
        -*) specials[$path]=$((before & ~bits)) ;;
    esac
}

note_owner() {
    local user=${1%%:*} group=${1#*:} before=${owners[$2]:-root:root}
    user=${user:-${before%%:*}} group=${group:-${before#*:}}
    [[ $user != 0 ]] || user=root
    [[ $group != 0 ]] || group=root
    owners[$2]=$user:$group
}

# Says in `account` the user or group that words of useradd and its like are about: what is neither an option nor its value.
find_account() {
    local with_value=$1 letters
    shift
    account=
    while (( $# )); do
        case $1 in
            --*=* | --system | --force | --non-unique | --create-home | --no-create-home | --user-group | \
                --no-user-group | --no-log-init | --badname | --append | --lock | --unlock | --move-home | --remove) ;;
            --*) shift ;;
            -*)
                # The first option with a value has all that follows in its word, or the next word.
                letters=${1#-}
                letters=${letters#"${letters%%[$with_value]*}"}
                (( ${#letters} != 1 )) || shift
                ;;
            *) account=$1 ;;
        esac
        (( ! $# )) || shift
    done
}

# Who is made and removed again is nobody. Says whether they were made.
forget_account() {
    local removed=$1 name=$2 line words account kept=() made=no
    for line in "${lines[@]}"; do
        eval "words=($line)"
        account=
        case $removed:${words[1]-} in
            userdel:useradd | userdel:usermod | userdel:passwd) find_account bcdefgGkKpsuRPZ "${words[@]:2}" ;;
            groupdel:groupadd | groupdel:groupmod | groupdel:groupmems) find_account gnpUKRPad "${words[@]:2}" ;;
        esac
        if [[ $account != "$name" ]]; then
            kept+=("$line")
        elif [[ ${words[1]} == *add ]]; then
            made=yes
        fi
    done
    [[ $made == yes ]] || return 1
    lines=("${kept[@]}")
}

# Where a path is now, in the package or, since post_install, in the root; nothing if it is gone.
place_of() {
    local place
    for place in "$staging/$1" "/$1"; do
        [[ ! -e $place && ! -L $place ]] || { printf '%s' "$place"; return; }
    done
}

deferred_paths() {
    local path place bits
    for path in "${!owners[@]}"; do
        [[ ${owners[$path]} == root:root || -z $(place_of "$path") ]] ||
            printf 'owner %s %s\n' "$(quoted "${owners[$path]}")" "$(quoted "$path")"
    done
    for path in "${!specials[@]}"; do
        place=$(place_of "$path") bits=${specials[$path]}
        if (( bits )) && [[ -n $place && ! -L $place ]]; then
            modes[$path]=$(printf '%o' $((bits | 8#$(stat -c %a "$place"))))
        fi
    done
    for path in "${!modes[@]}"; do
        printf 'mode %s %s\n' "${modes[$path]}" "$(quoted "$path")"
    done
}

# Writes what is deferred into the package: paths in their order, commands in that in which they were called.
keep_deferred() {
    local target=$staging/usr/share/larder/deferred/$larder_name lines=() words line account
    local -A owners=() specials=() modes=()
    note_modes
    while IFS= read -r line; do
        eval "words=($line)"
        case ${words[0]} in
            special) note_special "${words[@]:1}" ;;
            owner) note_owner "${words[@]:1}" ;;
            run)
                if [[ ${words[1]} == userdel || ${words[1]} == groupdel ]]; then
                    find_account RPg "${words[@]:2}"
                    ! forget_account "${words[1]}" "$account" || continue
                fi
                [[ " ${lines[*]@Q} " == *" ${line@Q} "* ]] || lines+=("$line")
                ;;
        esac
    done <"$noted"
    mapfile -t -O "${#lines[@]}" lines < <(deferred_paths | LC_ALL=C sort -k3)
    (( ${#lines[@]} )) || return 0
    mkdir -p "${target%/*}"
    printf '%s\n' "${lines[@]}" >"$target"
    say "deferred to the image, see /usr/share/larder/deferred/$larder_name:"
    sed 's/^/larder:   /' "$target"
}
