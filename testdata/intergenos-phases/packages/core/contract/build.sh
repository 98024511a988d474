#!/bin/bash
set -e

configure() {
    test -n "${DESTDIR}"
    # The script knows it, but what it starts does not.
    test -z "$(printenv DESTDIR || true)"
    test "${IGOS_JOBS}" -ge 1
    test "${PKG_VERSION}" = 1.2.3
    test "${version}" = 1.2.3
    test -d "${IGOS_SOURCES}"
    test -d "${IGOS_PATCHES}"
    test -n "${CFLAGS}"
    test "$(cat "$(dirname "${BASH_SOURCE[0]}")/beside")" = beside
    test "$(basename "$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)")" = contract
    grep -q '^name: contract$' "$(dirname "${BASH_SOURCE[0]}")/package.yml"
    # A variable that is not set is empty, as with their builders.
    test -z "${NEVER_SET}"
    yes | head -n 1
}

check() {
    pkg_run_tests "$(dirname "${BASH_SOURCE[0]}")/package.yml" test 1 = 1
    pkg_run_tests "$(dirname "${BASH_SOURCE[0]}")/package.yml" "test 1 = 1 && echo two words"
}

do_install() {
    test "$(printenv DESTDIR)" = "${DESTDIR}"
    install -D -m 644 /dev/null "${DESTDIR}/usr/share/contract/file"
    install -D -m 644 /dev/null "${DESTDIR}/lib/old-place"
}
