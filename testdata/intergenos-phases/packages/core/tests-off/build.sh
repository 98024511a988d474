#!/bin/bash
set -e

check() {
    exit 7
}

do_install() {
    install -D -m 644 /dev/null "${DESTDIR}/usr/share/tests-off/file"
}
