# Style make: a makefile that knows PREFIX and DESTDIR, and a target `check`.
#
# shellcheck shell=bash disable=SC2154  # the variables come from phases.sh

default_configure() { :; }
default_build() { run_make PREFIX=/usr; }
default_check() { run_make PREFIX=/usr check; }
default_install() { make "${make_flags[@]}" install PREFIX=/usr DESTDIR="$out"; }
