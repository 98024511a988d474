# Sourced by the script of a build before its first line, with `larder_phase` and `larder_command` set: when the script sets
# `current_phase` to that phase, the command takes its place.
# shellcheck shell=bash

# Other scripts that the build runs are left alone.
unset BASH_ENV
# A build reads nothing.
exec {larder_terminal}<&0 </dev/null

larder_stop() {
    trap - DEBUG ERR EXIT
    set +o errexit +o nounset +o functrace
    # What the shell at this place has, in a form that another one can read.
    { declare -p; declare -f; } >/build/.larder-phase
    larder_greeting >/tmp/.larder-shell
    [[ ${#larder_command[@]} -gt 0 ]] || larder_command=("$BASH" --rcfile /tmp/.larder-shell -i)
    if (( BASH_SUBSHELL == 0 )); then
        exec "${larder_command[@]}" <&"$larder_terminal" {larder_terminal}<&-
    fi
    # The phase runs in a subshell: what comes after it is not wanted.
    "${larder_command[@]}" <&"$larder_terminal"
    printf '%s\n' "$?" >/tmp/.larder-status
    kill -USR1 $$
    exit
}

larder_greeting() {
    printf '%s\n' 'source /build/.larder-phase 2>/dev/null' 'set +o errexit +o nounset' 'trap - ERR EXIT DEBUG' \
        'PS1="[before $current_phase] \\w\\$ "'
}

trap 'trap - ERR EXIT DEBUG; exit "$(</tmp/.larder-status)"' USR1
set -o functrace
trap '[[ ${current_phase-} != "$larder_phase" ]] || larder_stop' DEBUG
