#!/bin/bash
set -e

configure() {
    ./configure --prefix=/usr
}

build() {
    make -j${IGOS_JOBS}
}

check() {
    pkg_run_tests "$(dirname "${BASH_SOURCE[0]}")/package.yml" make check
}

do_install() {
    make DESTDIR="${DESTDIR}" install
}
