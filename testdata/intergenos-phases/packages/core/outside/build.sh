#!/bin/bash
set -e

test -n "${PKG_NAME}"
test -n "${PKG_VERSION}"
readonly directory="/usr/share/${PKG_NAME:?}-${version:?}"

do_install() {
    install -d "${DESTDIR:?}"
    install -D -m 644 /dev/null "${DESTDIR}${directory}/file"
}

post_install() {
    touch "${directory}/made-afterwards"
}
