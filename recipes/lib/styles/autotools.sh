# Style autotools: ./configure, make, make check, make install.
#
# shellcheck shell=bash disable=SC2154  # the variables come from phases.sh

# Without -g, which would only be stripped again.
export CFLAGS=${CFLAGS--O2} CXXFLAGS=${CXXFLAGS--O2}

default_configure() {
    ./configure --prefix=/usr --sysconfdir=/etc --localstatedir=/var --libdir=/usr/lib \
        --build="$larder_triplet" --disable-dependency-tracking "${configure_flags[@]}"
}

default_build() { run_make; }
default_check() { run_make check; }
default_install() { make "${make_flags[@]}" install DESTDIR="$out"; }
