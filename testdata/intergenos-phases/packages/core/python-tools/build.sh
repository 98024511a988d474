#!/bin/bash
set -e

build() {
    if python3; then false; fi
    meson --version
    pip3 --version
    test "$(python3.11 -c 'import sysconfig; print(sysconfig.get_path("purelib"))')" = /usr/lib/python3/dist-packages
}

do_install() {
    install -D -m 644 /dev/null "${DESTDIR}/usr/share/python-tools/file"
}

post_install() {
    python3.11 -c 'import wave'
}
