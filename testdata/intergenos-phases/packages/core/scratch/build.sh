#!/bin/bash
set -e

configure() {
    mkdir -p /var/lib/scratch /usr/share/unicode
    touch /usr/bin/scratch /etc/scratch.conf
    echo found > /var/lib/scratch/file
}

build() {
    cat /var/lib/scratch/file > built
}

do_install() {
    test ! -e "${DESTDIR:?}/var"
    install -D -m 644 built "${DESTDIR}/usr/share/scratch/file"
}

post_install() {
    test -e /etc/scratch.conf
    touch /usr/share/scratch/made
}
