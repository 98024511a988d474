#!/bin/bash
set -e

do_install() {
    mkdir /var/lib/past-staging
    install -D -m 644 /dev/null "${DESTDIR:?}/usr/share/past-staging/file"
}
