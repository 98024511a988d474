#!/bin/bash
set -e

configure() {
    export CARRIED=1
    mkdir below
    cd below
    touch state
}

build() {
    test -z "${CARRIED:-}"
    test "${PWD##*/}" != below
    test -f below/state
}

do_install() {
    install -D -m 644 /dev/null "${DESTDIR}/usr/share/fresh/file"
}
