#!/bin/bash
set -e

configure() {
    test "$(stat -c %Y declared)" = "$((SOURCE_DATE_EPOCH + 1))"
    test "$(stat -c %Y .)" = "${SOURCE_DATE_EPOCH}"
    test "$(cat declared)" = declared
    test "${IGOS_SOURCES}" -ef "${IGOS_PATCHES}"
    test -f "${IGOS_SOURCES}/patched-1.2.3-declared.patch"
    patch -Np1 -i "${IGOS_SOURCES}/patched-${PKG_VERSION}-named.patch"
    test "$(cat declared)" = named
}

do_install() {
    install -D -m 644 declared "${DESTDIR}/usr/share/patched/file"
}
