#!/bin/bash
set -e

build() {
    if python3; then false; fi
    meson --version
    pip3 --version
    test "$(python3.11 -c 'import sysconfig; print(sysconfig.get_path("purelib"))')" = /usr/lib/python3/dist-packages

    # Something that builds with what the environment has under its name, and needs what nobody has.
    mkdir own
    touch own/own.py
    cat > own/setup.py << "EOF"
from setuptools import setup

setup(name="meson", version="0.1", py_modules=["own"], install_requires=["nobody-has-this"])
EOF
    pip3 wheel -w dist --no-cache-dir --no-build-isolation --no-deps "$PWD/own"
}

do_install() {
    install -D -m 644 /dev/null "${DESTDIR}/usr/share/python-tools/file"
    pip3 install --no-index --find-links dist --root="${DESTDIR}" meson
}

post_install() {
    python3.11 -c 'import wave'
}
