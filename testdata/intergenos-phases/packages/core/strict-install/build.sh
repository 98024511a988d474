#!/bin/bash
set -e

do_install() {
    mkdir -p "${DESTDIR}/usr/share/strict-install"
    cp missing "${DESTDIR}/usr/share/strict-install/file"
    touch "${DESTDIR}/usr/share/strict-install/file"
}
