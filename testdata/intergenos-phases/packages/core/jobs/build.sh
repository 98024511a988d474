#!/bin/bash
set -e

configure() {
    printf 'all:\n\t+@printf "%%s\\n" "$(MAKEFLAGS)" >> flags\n' > Makefile
}

build() {
    make -j${IGOS_JOBS} 2>> messages
    make -j 3 2>> messages
    make --jobs=4 -s all 2>> messages
    make --jobs 4 -j all 2>> messages
    make -j1 2>> messages
    make -j 1 2>> messages
    if make -j2 nothing 2>> messages; then false; fi
    cat flags messages
    test "$(grep -c -e --jobserver-auth flags)" = 4
    test "$(grep -c resetting messages)" = 2
}

do_install() {
    make -j2
    install -D -m 644 flags "${DESTDIR}/usr/share/jobs/file"
}
