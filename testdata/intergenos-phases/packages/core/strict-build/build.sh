#!/bin/bash
set -e

build() {
    false
    true
}

do_install() {
    install -D -m 644 /dev/null "${DESTDIR}/usr/share/strict-build/file"
}
