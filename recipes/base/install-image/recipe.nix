# Puts the medium that runs on a disk.
{
  bash,
  coreutils,
  sysvinit,
  util-linux,
  write,
}:

write {
  name = "install-image-1";
  entries."usr/sbin/install-image" = {
    executable = true;
    text = builtins.readFile ./install-image;
  };
}
// {
  pname = "install-image";
  version = "1";
  runtime = [
    bash
    coreutils
    sysvinit
    util-linux
  ];
  meta = {
    description = "Copies the running medium to a disk";
    licence = "MIT OR Apache-2.0";
  };
}
