#!/bin/bash
set -e

do_install() {
    mkdir -p "${DESTDIR}/usr/share/empty"
}
