#!/bin/bash
set -e

helper() {
    false
    echo went on
}

build() {
    helper
    echo went on
}

do_install() {
    install -D -m 644 /dev/null "${DESTDIR}/usr/share/strict-function/file"
}
