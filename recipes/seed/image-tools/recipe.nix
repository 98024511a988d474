# The field's own tools for images: squashfs, dm-verity, FAT and ISO 9660. They write images, and are in none.
# The C library is here once more because mtools needs its tables of character sets, which the seed goes without.
{ composeDebs, readPins }:

composeDebs {
  name = "image-tools";
  pins = readPins ./pins.json;
}
