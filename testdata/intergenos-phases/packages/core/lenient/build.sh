#!/bin/bash
set -e

configure() {
    set +e
    false
    status=$?
    set -e
    test "${status}" = 1
}

build() {
    local said=$(false; echo went on)
    test "${said}" = "went on"
    said=$(false; echo went on)
    test "${said}" = "went on"
}

do_install() {
    install -D -m 644 /dev/null "${DESTDIR}/usr/share/lenient/file"
}
