# The program in the initramfs, static: no library is there.
{ mkPackage }:

mkPackage {
  pname = "verified-init";
  version = "1";

  style = "custom";

  phases = {
    build = ''"''${CC:-gcc}" -std=gnu11 -O2 -Wall -Wextra -Werror -static -o init ${./init.c}'';
    install = ''install -D -m 755 init "$out/init"'';
  };

  tests = {
    policy = "off";
    reason = "the boot check runs it";
  };

  verify = [ "init" ];

  meta = {
    description = "First program of an image, which opens its root behind dm-verity";
    licence = "MIT OR Apache-2.0";
  };
}
