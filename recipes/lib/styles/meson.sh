# Style meson: meson setup, ninja, meson test, meson install, in the directory `build`.
#
# shellcheck shell=bash disable=SC2154  # the variables come from phases.sh

default_configure() {
    meson setup build --prefix=/usr --libdir=/usr/lib --sysconfdir=/etc --localstatedir=/var \
        --buildtype=release --wrap-mode=nodownload "${configure_flags[@]}"
}

# It takes part in what all builds have together, if there is that.
default_build() {
    if [[ $job_server == *jobserver* ]]; then
        MAKEFLAGS=$job_server ninja -C build
    else
        ninja -C build -j"${LARDER_JOBS:-1}"
    fi
}

default_check() { with_processors meson test -C build --no-rebuild --print-errorlogs --num-processes; }
default_install() { DESTDIR=$out meson install -C build --no-rebuild; }
