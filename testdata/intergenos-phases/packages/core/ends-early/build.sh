#!/bin/bash
set -e

do_install() {
    install -D -m 644 /dev/null "${DESTDIR}/usr/share/ends-early/file"
}

exit 0
