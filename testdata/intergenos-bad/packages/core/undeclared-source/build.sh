set -e

build() {
    tar -xf ${IGOS_SOURCES}/a-${PKG_VERSION}.tar.gz
    tar -xf "${IGOS_SOURCES}/vendor.tar.xz"
}

do_install() {
    make install
}
