#!/bin/bash
set -e

build() {
    set +e
    make
    echo done
}

do_install() {
    make install
}
