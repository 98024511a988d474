set -e

configure() {
    patch -Np1 -i ${IGOS_PATCHES}/there.patch
}

do_install() {
    make install
}
