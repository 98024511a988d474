#!/bin/bash
set -e
# A file of another recipe, from this one's directory upwards; `linked` has a link to this script.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

do_install() {
    install -D -m 644 "$here/../upwards/text" "$DESTDIR/usr/share/$PKG_NAME/text"
    install -m 644 "${IGOS}/shared/text" "$DESTDIR/usr/share/$PKG_NAME/shared"
}
