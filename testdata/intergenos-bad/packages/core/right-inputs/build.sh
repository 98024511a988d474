set -e

configure() {
    tar -xf "${IGOS_PATCHES}/right-${PKG_VERSION}.tar.gz"
    patch -p1 -i "${IGOS_SOURCES}/there.patch"
}

do_install() {
    systemctl --root="${DESTDIR}" enable right-inputs
}
