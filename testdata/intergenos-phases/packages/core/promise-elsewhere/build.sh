#!/bin/bash
set -e

do_install() {
    mkdir -p "${DESTDIR}/usr/share"
    ln -s /usr/bin "${DESTDIR}/usr/share/promise-elsewhere"
}
