#!/bin/bash
set -e

configure() {
    test "${LC_ALL}" = POSIX
    test -z "${CFLAGS:-}"
    mkdir -p "${IGOS}/tools/share"
    echo configured > "${IGOS}/tools/share/configured"
}

install() {
    mkdir -p "${IGOS}/usr/share/info"
    echo cross-tool > "${IGOS}/usr/share/info/dir"
    mkdir -p "${IGOS}/tools/bin"
    printf '#!/bin/sh\necho cross\n' > "${IGOS}/tools/bin/cross-tool"
    chmod 755 "${IGOS}/tools/bin/cross-tool"
    echo library > "${IGOS}/lib/library"
}

post_install() {
    echo late > "${IGOS}/tools/share/late"
}
