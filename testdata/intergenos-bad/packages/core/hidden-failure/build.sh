#!/bin/bash
set -e

check() {
    command -v python3 >/dev/null || echo "no python3, so some tests are left out"
    make -C unit check || {
        echo "unit tests failed" >&2
        exit 1
    }
    make -C all check || {
        echo "tests failed"
    }
}

do_install() {
    make install
}
