#!/bin/bash
set -e

do_install() {
    install -D -m 644 -o root -g root "$(dirname "${BASH_SOURCE[0]}")/files/igos" "${DESTDIR}/etc/motd.d/igos"
    install -D -m 755 /dev/null "${DESTDIR}/usr/libexec/igos-setuid"
    chmod 4755 "${DESTDIR}/usr/libexec/igos-setuid"
}
