#!/bin/bash
set -e

do_install() {
    install -D -m 644 /dev/null "${DESTDIR}/usr/share/after/file"
    install -D -m 644 /dev/null "${DESTDIR}/usr/share/after/removed"
    mkdir -p "${DESTDIR}/usr/lib/systemd/system"
    printf '[Install]\nWantedBy=multi-user.target\nAlso=after.socket\n' > "${DESTDIR}/usr/lib/systemd/system/after.service"
    printf '[Install]\nWantedBy=sockets.target\nAlso=after.service\n' > "${DESTDIR}/usr/lib/systemd/system/after.socket"
}

post_install() {
    test -z "${DESTDIR:-}"
    test -f /usr/share/after/file
    echo changed > /usr/share/after/file
    rm /usr/share/after/removed
    mkdir -p /etc/after
    echo made > /etc/after/made
    ln -s /etc/after /etc/after-too
    getent group after > /dev/null || groupadd -r after
    chown root:after /etc/after/made
    chmod 4750 /etc/after/made
    systemctl daemon-reload
    systemctl enable --now after
    ldconfig
}
