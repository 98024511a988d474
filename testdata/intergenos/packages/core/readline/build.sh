#!/bin/bash
set -e

configure() {
    ./configure --prefix=/usr --disable-static --with-curses
}

build() {
    make -j${IGOS_JOBS}
}

do_install() {
    make DESTDIR="${DESTDIR}" install
}
