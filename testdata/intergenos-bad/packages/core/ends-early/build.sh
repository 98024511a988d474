set -e
do_install() {
    make DESTDIR="$DESTDIR" install
}
[ -n "$DESTDIR" ] || exit 1
exit 0
