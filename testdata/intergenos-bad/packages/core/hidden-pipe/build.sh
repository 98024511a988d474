#!/bin/bash
set -e

check() {
    make -k check 2>&1 | tee check.log
}

do_install() {
    make install
}
