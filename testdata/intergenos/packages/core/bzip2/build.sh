#!/bin/bash
set -e

configure() {
    patch -Np1 -i "${IGOS_PATCHES}/bzip2-${PKG_VERSION}-install_docs-1.patch"
    sed -i 's@\(ln -s -f \)$(PREFIX)/bin/@\1@' Makefile
}

build() {
    make -f Makefile-libbz2_so
    make clean
    make
}

do_install() {
    make PREFIX="${DESTDIR}/usr" install
    cp -a libbz2.so.* "${DESTDIR}/usr/lib"
    ln -sf libbz2.so.1.0 "${DESTDIR}/usr/lib/libbz2.so"
    cp bzip2-shared "${DESTDIR}/usr/bin/bzip2"
    install -D -m 644 "$(dirname "${BASH_SOURCE[0]}")/bzip2.pc" "${DESTDIR}/usr/lib/pkgconfig/bzip2.pc"
}
