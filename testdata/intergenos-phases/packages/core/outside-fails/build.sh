#!/bin/bash
set -e

test ! -e "${DESTDIR}/usr/share/outside-fails/file"

do_install() {
    install -D -m 644 /dev/null "${DESTDIR}/usr/share/outside-fails/file"
}
