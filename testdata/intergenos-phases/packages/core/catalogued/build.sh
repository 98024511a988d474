#!/bin/bash
set -e

do_install() {
    install -D -m 644 /dev/null "${DESTDIR}/usr/share/catalogued/file"
}

post_install() {
    echo second >> /etc/catalogue/list
}
