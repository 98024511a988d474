#!/bin/bash
set -e

build() {
    make -j2 nothing
    true
}

do_install() {
    install -D -m 644 /dev/null "${DESTDIR}/usr/share/strict-make/file"
}
