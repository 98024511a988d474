#!/bin/bash
set -e

build() {
    test "$(cat /etc/catalogue/list)" = $'first\nsecond'
}

do_install() {
    install -D -m 644 /dev/null "${DESTDIR}/usr/share/needs-both/file"
}
