#!/bin/bash
set -e

configure() {
    ./configure --prefix=/usr --disable-static --docdir=/usr/share/doc/xz-${version}
}

build() {
    make -j${IGOS_JOBS}
}

do_install() {
    make DESTDIR="${DESTDIR}" install
}
