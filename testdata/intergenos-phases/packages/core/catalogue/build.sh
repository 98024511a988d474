#!/bin/bash
set -e

do_install() {
    mkdir -p "${DESTDIR}/etc/catalogue"
    echo first > "${DESTDIR}/etc/catalogue/list"
}
