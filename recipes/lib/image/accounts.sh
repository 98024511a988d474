# The files of /etc that say who there is: data, and what packages of other distributions asked for.
#
# shellcheck shell=bash disable=SC2154  # what is given are variables
read -ra packages <<<"$deferring"
python3 "$program" "$out" "${packages[@]}"
