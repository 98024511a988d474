#!/bin/bash
set -e

configure() {
    ./configure --prefix=/usr --sysconfdir=/etc
}

build() {
    make -j${IGOS_JOBS}
}

do_install() {
    make DESTDIR="${DESTDIR}" install
}
