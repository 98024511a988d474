# Processors for programs that are given a number of processes and know no job server: as many as no other build uses when
# they start. What is taken counts as used until it is given back.
#
# shellcheck shell=bash

# Sets `processors`, at least one. $1 is MAKEFLAGS as the build was given it.
take_processors() {
    local token
    processors=${LARDER_JOBS:-1} taken_tokens=''
    [[ $1 =~ fifo:([^ ]+) ]] || return 0
    exec {token_fifo}<>"${BASH_REMATCH[1]}"
    # What others do not claim comes within a few hundredths of a second.
    while (( ${#taken_tokens} < processors - 1 )) && IFS= read -r -N 1 -t 0.2 -u "$token_fifo" token; do
        taken_tokens+=$token
    done
    processors=$(( ${#taken_tokens} + 1 ))
}

give_processors() {
    [[ -n ${token_fifo-} ]] || return 0
    printf '%s' "$taken_tokens" >&"$token_fifo"
    exec {token_fifo}>&-
    unset token_fifo
}
