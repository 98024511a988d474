#!/bin/bash
set -e

configure() {
    printf 'rule run\n  command = echo "$$MESON_TESTTHREADS." >> threads\nbuild test: run\nbuild all: run\n' > build.ninja
    printf 'cmake_minimum_required(VERSION 3.5)\nproject(counted NONE)\nadd_custom_target(all-of-it ALL env > seen)\n' > CMakeLists.txt
}

build() {
    ninja -v -j "${IGOS_JOBS}" all | tee said
    grep -q 'Jobserver mode detected' said
    ninja -v -j1 all | tee said
    test "$(grep -c 'Jobserver mode detected' said)" = 0
    cmake -G Ninja -B with-ninja
    cmake --build with-ninja --parallel 9 -- -v | tee said
    grep -q 'Jobserver mode detected' said
    if ninja -j9 nothing; then false; fi
}

check() {
    ninja test
    ninja -C . -j9 test
    cat threads
    test "$(grep -c '^[1-9][0-9]*\.$' threads)" = 2
    while IFS= read -r line; do test "${line%.}" = "" || test "${line%.}" -le "${IGOS_JOBS}"; done < threads
}

do_install() {
    install -D -m 644 said "${DESTDIR}/usr/share/counted/file"
}
