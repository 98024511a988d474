# What recipes of other distributions take for granted, for it was there before them: crypt.h, ltdl.m4, getopt, hexdump, ps, groff, autopoint and the like: pinned Debian packages, for building with. Nothing of it may reach an image.
{ composeDebs, readPins }:

composeDebs {
  name = "customary";
  pins = readPins ./pins.json;
}
// {
  pname = "customary";
  meta = {
    description = "Small tools and headers that recipes seldom name, from Debian";
    licence = "GPL-3.0-or-later";
  };
}
