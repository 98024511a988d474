#!/bin/bash
set -e

configure() {
    ./configure --prefix=/usr --mandir=/usr/share/man --with-shared --without-debug --without-normal --without-ada --without-cxx-binding --enable-pc-files --with-pkg-config-libdir=/usr/lib/pkgconfig
}

build() {
    make -j${IGOS_JOBS}
}

do_install() {
    make DESTDIR="${DESTDIR}" install
    for lib in ncurses form panel menu; do
        ln -sf "lib${lib}w.so" "${DESTDIR}/usr/lib/lib${lib}.so"
        ln -sf "${lib}w.pc" "${DESTDIR}/usr/lib/pkgconfig/${lib}.pc"
    done
}
