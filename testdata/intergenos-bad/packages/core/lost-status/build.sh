#!/bin/bash
set -e

build() {
    make 2>&1 | tee build.log
}

do_install() {
    make install
}
