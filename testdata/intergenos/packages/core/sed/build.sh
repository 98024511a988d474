#!/bin/bash
set -e

configure() {
    ./configure --prefix=/usr
}

build() {
    make -j${IGOS_JOBS}
}

check() {
    false
}

do_install() {
    make DESTDIR="${DESTDIR}" install
}
