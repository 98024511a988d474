set -e

build() {
    cp /mnt/intergenos/../secret .
}

do_install() {
    make install
}
