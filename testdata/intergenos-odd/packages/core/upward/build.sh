#!/bin/bash
set -e
here=$(dirname "${BASH_SOURCE[0]}")

do_install() {
    cat "$here/../sound/package.yml" "$(dirname "$0")/../plain/package.yml" /usr/lib/../tagged/package.yml
    cat "$IGOS/../elsewhere"
}
