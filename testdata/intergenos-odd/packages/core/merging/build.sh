#!/bin/bash
set -e

do_install() {
    make install
}
