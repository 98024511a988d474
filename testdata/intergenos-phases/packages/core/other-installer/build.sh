#!/bin/bash
set -e

install() {
    mkdir -p "${DESTDIR}/usr/share/other-installer"
    touch "${DESTDIR}/usr/share/other-installer/file"
}
