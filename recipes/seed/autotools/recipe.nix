# What generates and unpacks: perl, m4, autoconf, automake, libtool, bison, flex, gettext, texinfo, pkg-config and the like: pinned Debian packages, for building with. Nothing of it may reach an image.
{ composeDebs, readPins }:

composeDebs {
  name = "autotools";
  pins = readPins ./pins.json;
  links = {
    aclocal = "aclocal-1.16";
    automake = "automake-1.16";
    lzip = "lzip.lzip";
    which = "which.debianutils";
    yacc = "bison.yacc";
  };
}
// {
  pname = "autotools";
  meta = {
    description = "Tools that source trees generate themselves with, from Debian";
    licence = "GPL-3.0-or-later";
  };
}
