# Style make: a makefile that knows PREFIX and DESTDIR, and a target `check`.
#
# shellcheck shell=bash disable=SC2154  # the variables come from phases.sh

# A makefile wins over the environment, so the tools of a standard environment are named to it.
for tool in AR CC CXX RANLIB; do
    [[ ! -v $tool ]] || make_flags=("$tool=${!tool}" "${make_flags[@]}")
done
unset tool

default_configure() { :; }
default_build() { run_make PREFIX=/usr; }
default_check() { run_make PREFIX=/usr check; }
default_install() { make "${make_flags[@]}" install PREFIX=/usr DESTDIR="$out"; }
