# Style cmake: cmake, make, ctest, cmake --install, in the directory `build`.
#
# shellcheck shell=bash disable=SC2154  # the variables come from phases.sh

default_configure() {
    cmake -S . -B build -DCMAKE_INSTALL_PREFIX=/usr -DCMAKE_INSTALL_LIBDIR=lib -DCMAKE_INSTALL_SYSCONFDIR=/etc \
        -DCMAKE_INSTALL_LOCALSTATEDIR=/var -DCMAKE_BUILD_TYPE=Release -DCMAKE_SKIP_INSTALL_RPATH=ON \
        "${configure_flags[@]}"
}

default_build() { run_make -C build; }
default_check() { with_processors ctest --test-dir build --output-on-failure --parallel; }
default_install() { DESTDIR=$out cmake --install build; }
