set -e

build() {
    make
}

do_install() {
    make install
}
