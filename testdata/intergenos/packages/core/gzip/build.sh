#!/bin/bash
set -e

configure() {
    ./configure --prefix=/usr
}

build() {
    make -j${IGOS_JOBS}
}

do_install() {
    make DESTDIR="${DESTDIR}" install
}
