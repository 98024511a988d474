#!/bin/bash
set -e

do_install() {
    printf 'install:\n\tmkdir -p $(DESTDIR)$(prefix)\n\ttouch $(DESTDIR)$(prefix)/file\n' > Makefile
    make prefix="${DESTDIR}/usr" install
    rm "${DESTDIR}/usr/file"
}
