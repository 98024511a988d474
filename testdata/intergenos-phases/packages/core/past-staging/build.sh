#!/bin/bash
set -e

configure() {
    mkdir -p /var/lib/past-staging/below
}

do_install() {
    install -D -m 644 /dev/null "${DESTDIR:?}/usr/share/past-staging/file"
    touch /var/lib/past-staging/below/file
}
