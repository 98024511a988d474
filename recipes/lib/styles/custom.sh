# Style custom: the recipe writes the phases; those it leaves out do nothing, but it must install something.
#
# shellcheck shell=bash disable=SC2154  # the variables come from phases.sh

default_configure() { :; }
default_build() { :; }
default_check() { :; }
default_install() { [[ $larder_metapackage == yes ]] || fail 'style custom needs the phase install'; }
