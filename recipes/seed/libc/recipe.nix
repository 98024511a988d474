# The C library that everything built with the seed needs at run time. It is a seed tree, so nothing that needs it may
# reach an image.
{
  compose,
  readPins,
  unpackDeb,
  usrMerge,
  write,
}:

let
  pin = (readPins ../pins.json).libc6;
in
compose {
  name = "libc-${pin.version}";
  root = [
    (unpackDeb { inherit pin; })
    (write {
      name = "libc-links";
      entries = usrMerge;
    })
  ];
}
// {
  pname = "libc";
  inherit (pin) version;
  meta = {
    description = "GNU C library, from the seed";
    licence = "LGPL-2.1-or-later";
  };
}
