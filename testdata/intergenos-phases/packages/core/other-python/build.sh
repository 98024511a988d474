#!/bin/bash
set -e

do_install() {
    mkdir -p "${DESTDIR}/usr/bin"
    printf '#!/bin/sh\necho "another Python" >&2\nexit 9\n' > "${DESTDIR}/usr/bin/python3"
    chmod 755 "${DESTDIR}/usr/bin/python3"
}
