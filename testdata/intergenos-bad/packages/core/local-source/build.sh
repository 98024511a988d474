set -e

do_install() {
    make DESTDIR="${DESTDIR}" install
}
