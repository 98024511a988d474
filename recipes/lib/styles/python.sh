# Style python: a wheel by whatever pyproject.toml or setup.py names, installed below /usr without compiled files, whose
# time stamps would be those of the build.
#
# shellcheck shell=bash disable=SC2154  # the variables come from phases.sh

# Debian's Python would install to /usr/local.
export DEB_PYTHON_INSTALL_LAYOUT=deb PYTHONHASHSEED=0 PYTHONDONTWRITEBYTECODE=1

default_configure() { :; }
default_build() { python3 -m build --wheel --no-isolation; }
default_check() { fail 'style python needs the phase check, or tests that are off with a reason'; }
default_install() { python3 -m installer --destdir="$out" --prefix=/usr --no-compile-bytecode dist/*.whl; }
