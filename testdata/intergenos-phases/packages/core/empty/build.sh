#!/bin/bash
set -e

do_install() {
    :
}
