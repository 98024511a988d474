# The directories of a root file system that no package needs, but the kernel, init and people do.
{ write }:

let
  directories = [
    "dev"
    "home"
    "mnt"
    "proc"
    "root"
    "run"
    "sys"
    "tmp"
    "usr/bin"
    "usr/lib"
    "usr/sbin"
    "var/empty"
    "var/log"
    "var/tmp"
  ];
in
write {
  name = "filesystem-1";
  entries =
    builtins.listToAttrs (
      map (path: {
        name = path;
        value.directory = true;
      }) directories
    )
    // {
      bin.symlink = "usr/bin";
      "etc/mtab".symlink = "../proc/self/mounts";
      "etc/profile".text = ''
        export PATH=/usr/bin:/usr/sbin
        export PS1='\u@\h:\w\$ '
      '';
      lib.symlink = "usr/lib";
      lib64.symlink = "usr/lib";
      sbin.symlink = "usr/sbin";
      "var/run".symlink = "../run";
    };
}
// {
  pname = "filesystem";
  version = "1";
  owners = {
    root.mode = "0700";
    tmp.mode = "1777";
    "var/tmp".mode = "1777";
  };
  meta = {
    description = "Directories of the system";
    licence = "CC0-1.0";
  };
}
