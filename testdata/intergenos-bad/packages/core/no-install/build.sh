set -e

build() {
    make
}

do_instal() {
    make install
}
