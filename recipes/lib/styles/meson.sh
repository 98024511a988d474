# Style meson: meson setup, ninja, meson test, meson install, in the directory `build`.
#
# shellcheck shell=bash disable=SC2154  # the variables come from phases.sh

default_configure() {
    meson setup build --prefix=/usr --libdir=/usr/lib --sysconfdir=/etc --localstatedir=/var \
        --buildtype=release --wrap-mode=nodownload "${configure_flags[@]}"
}

default_build() { ninja -C build -j"${LARDER_JOBS:-1}"; }
default_check() { meson test -C build --no-rebuild --print-errorlogs --num-processes "${LARDER_JOBS:-1}"; }
default_install() { DESTDIR=$out meson install -C build --no-rebuild; }
