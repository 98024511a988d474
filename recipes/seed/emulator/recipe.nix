# A machine that the boot check starts images on: QEMU, and OVMF as its firmware.
{ composeDebs, readPins }:

composeDebs {
  name = "emulator";
  pins = readPins ./pins.json;
}
