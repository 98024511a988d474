#!/bin/bash
set -e

build() {
    test "$(cross-tool)" = cross
    test "$(cat "${IGOS}/tools/share/configured" "${IGOS}/usr/lib/library")" = $'configured\nlibrary'
}

install() {
    mkdir -p "${IGOS}/usr/share/info"
    echo cross-tool-pass2 > "${IGOS}/usr/share/info/dir"
    mkdir -p "${IGOS}/tools/share"
    cross-tool > "${IGOS}/tools/share/second"
}
