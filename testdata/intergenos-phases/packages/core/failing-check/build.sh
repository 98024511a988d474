#!/bin/bash
set -e

check() {
    false
    true
}

do_install() {
    install -D -m 644 /dev/null "${DESTDIR}/usr/share/failing-check/file"
}
