#!/bin/bash
set -e

configure() {
    groupadd -g 19 kept
    groupadd -g 18 gone
    useradd -c "kept" -g gone -u 18 -s/bin/false gone
    usermod -aG kept gone
    userdel -r gone
    groupdel gone
    test "$(su -s /usr/bin/cat tester <<< "read by another shell")" = "read by another shell"
    test "$(su tester -s /usr/bin/bash -c 'echo $0')" = bash
}

check() {
    groupadd -g 102 dummy -U tester
    mkdir -p tests
    chown -R tester tests
    su tester -c "PATH=$PATH true"
}

do_install() {
    install -D -m 644 /dev/null "${DESTDIR}/usr/share/accounts/file"
}
