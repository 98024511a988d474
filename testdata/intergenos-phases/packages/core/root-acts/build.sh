#!/bin/bash
set -e

configure() {
    groupadd -g 18 sample
    useradd -g sample -u 18 -c "Sample User" sample
    groupadd -g 18 sample
    mkdir data
    chown sample:sample data
    su sample -c "touch data/as-sample"
    test -f data/as-sample
    runuser -u sample touch data/as-other
    test -f data/as-other
    test "$(command -v install)" = /usr/bin/install
    chmod 755 data
    test "$(stat -c %a data)" = 755
}

build() {
    # Tools of a build stand before all others in PATH.
    mkdir -p tools
    PATH="${PWD}/tools:${PATH}" chmod 600 data/as-sample
    test "$(stat -c %a data/as-sample)" = 600
    env -i /usr/bin/chmod -v 0644 data/as-sample
    if install no-such-file elsewhere; then false; fi
    if chown sample no-such-file; then false; fi
}

do_install() {
    local share="${DESTDIR}/usr/share/root-acts"
    install -D -o sample -g sample -m 2755 data/as-sample "${share}/file"
    chown -R sample "${share}"
    chmod u+s "${share}/file"
    install -m 755 data/as-sample "${share}/both"
    chmod u+s,g+s "${share}/both"
    install -m 6755 data/as-sample "${share}/one-of-both"
    chmod u+s,g-s "${share}/one-of-both"
    install -Dm4755 data/as-sample "${share}/clustered"
    install -Dvm 04711 data/as-sample "${share}/five-digits"
    install -o root -g root -m 644 -t "${share}" data/as-other
    install --mode=g+s,u=rwx,go=rx --group=sample data/as-sample data/as-other -t "${share}/../root-acts"
    install -d -m 1777 "${share}/first" "${share}/second"
    install -dm700 "${share}/private"
    install -m 640 data/as-other "${share}/a blank"
    chgrp sample "${share}/a blank"
    install -m4755 data/as-sample "${share}/taken-back"
    chmod 755 "${share}/taken-back"
    chown sample:sample "${share}/clustered"
    chown 0:0 "${share}/clustered"
    install -m4755 data/as-sample "${share}/gone"
    rm "${share}/gone"
    install -m4755 data/as-sample "${DESTDIR}/bin/old-place"
    chown root.sample "${DESTDIR}/bin/old-place"
}
