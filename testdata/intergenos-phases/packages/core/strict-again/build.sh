#!/bin/bash
set -e

build() {
    set +e
    false
    set -e
    false
    true
}

do_install() {
    install -D -m 644 /dev/null "${DESTDIR}/usr/share/strict-again/file"
}
