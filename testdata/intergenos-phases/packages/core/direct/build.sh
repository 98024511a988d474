#!/bin/bash
set -e

do_install() {
    mkdir -p /usr/share/direct
    echo straight > "${DESTDIR}/usr/share/direct/file"
}
