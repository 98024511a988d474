#!/bin/bash
set -e

configure() {
    groupadd -g 18 sample
    useradd -g sample -u 18 sample
    mkdir data
    chown sample:sample data
    su sample -c "touch data/as-sample"
    test -f data/as-sample
}

build() {
    # Tools of a build stand before all others in PATH.
    mkdir -p tools
    PATH="${PWD}/tools:${PATH}" chmod 600 data/as-sample
    test "$(stat -c %a data/as-sample)" = 600
}

do_install() {
    install -D -o sample -g sample -m 2755 data/as-sample "${DESTDIR}/usr/share/root-acts/file"
    chown -R sample "${DESTDIR}/usr/share/root-acts"
    chmod u+s "${DESTDIR}/usr/share/root-acts/file"
}
