#!/bin/bash
set -e

do_install() {
    install -d "${DESTDIR}/var/lib/directories"
    install -d "${DESTDIR}/var/lib/gone"
}

post_install() {
    test -d /var/lib/directories
    rmdir /var/lib/gone
    mkdir -p /var/lib/directories-made/below
}
