#!/bin/bash
set -e

do_install() {
    cp "${IGOS_SOURCES}/blob" "${DESTDIR}/"
}
