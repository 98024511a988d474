do_install() {
    make install
}
