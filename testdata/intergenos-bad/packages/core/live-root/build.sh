set -e

configure() {
    groupadd -g 18 messagebus
    sed -i 's/a/b/' /etc/login.defs
    cp x "${DESTDIR}/etc/x" > /dev/null
}

build() {
    cp /mnt/intergenos/config/kernel.config .config
    make > /usr/share/log
}

do_install() {
    install -D -m 644 a /etc/a
    install -D -m 644 /usr/include/a.h "${DESTDIR}/usr/include/a.h"
    cat > "${DESTDIR}/etc/b" << EOF
useradd x
EOF
}

post_install() {
    systemctl enable live-root
}
