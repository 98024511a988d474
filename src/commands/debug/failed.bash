# What bash begins with where a build has failed: what the shell of its script had then, and where that was.
# shellcheck shell=bash

# Other scripts are left alone.
unset BASH_ENV
# What only bash itself may set it says so of.
# shellcheck source=/dev/null
source /build/.larder-failed 2>/dev/null
set +o errexit +o nounset
# The job server was the build's.
[[ ${MAKEFLAGS-} != *--jobserver-auth* ]] || unset MAKEFLAGS
trap - ERR EXIT DEBUG
# shellcheck disable=SC2154  # the build's script has it
[[ $- != *i* ]] || PS1="[failed in $current_phase] \\w\\$ "
