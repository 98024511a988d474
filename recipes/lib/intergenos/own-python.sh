# Copies the programs in $trees that are run by python3, so that the Python of their tree runs them.
#
# shellcheck shell=bash disable=SC2154  # trees and out are the derivation's
mkdir -p "$out/usr/bin"
for tree in $trees; do
    own=$(readlink "$tree/usr/bin/python3")
    for program in "$tree"/usr/bin/*; do
        [[ -f $program && ! -L $program && $(head -c 2 "$program" | tr -d '\0') == '#!' ]] || continue
        [[ $(head -n 1 "$program") =~ ^'#!'.*python3$ ]] || continue
        sed "1s/python3\$/$own/" "$program" >"$out/usr/bin/${program##*/}"
        chmod 755 "$out/usr/bin/${program##*/}"
    done
done
