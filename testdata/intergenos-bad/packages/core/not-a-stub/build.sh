set -e

configure() { :; }
build() { make; }
do_install() {
    make DESTDIR="$DESTDIR" install
}
