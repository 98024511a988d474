#!/bin/sh
# Runs each program here with larder's evaluator and with nix-instantiate, three times each; prints the best and the ratio.
# Usage: compare.sh EVALUATE, where EVALUATE is the program that `cargo build --release -p eval --example evaluate` makes.
set -eu
cd "$(dirname "$0")"
best() {
    for _ in 1 2 3; do
        start=$(date +%s%N)
        "$@" >/dev/null
        end=$(date +%s%N)
        echo $(((end - start) / 1000))
    done | sort -n | head -1
}
for program in *.nix; do
    ours=$(best "$1" --strict "$program")
    theirs=$(best nix-instantiate --eval --strict "$program")
    echo "$program larder $((ours / 1000)) ms, nix $((theirs / 1000)) ms, nix/larder $((theirs * 100 / ours))%"
done
