# The smallest image that is one: boots to a login prompt, on a virtual machine.
{
  busybox,
  efi-stub,
  filesystem,
  image,
  libc,
  linux-small,
  trials,
  verified-init,
}:

let
  console = "console=ttyS0,115200 panic=10 quiet";
in
image {
  name = "larder-small";
  packages = [
    busybox
    filesystem
    libc
  ];
  kernel = linux-small;
  firstProgram = verified-init;
  stub = efi-stub;
  commandLines = {
    live = console;
    rescue = "${console} init=/usr/bin/sh";
  };
  maxSize = 32 * 1024 * 1024;

  # Root without a password: it is a live system, and nothing that is its user's is on it.
  users.root = {
    uid = 0;
    group = "root";
    home = "/root";
    shell = "/usr/bin/sh";
    password = "";
  };
  groups.root.gid = 0;
  owners."etc/shadow".mode = "0600";

  services = {
    hostname = {
      when = "sysinit";
      command = "/usr/bin/hostname -F /etc/hostname";
    };
    console = {
      command = "/usr/sbin/getty -L 115200 ttyS0 vt100";
      terminal = "ttyS0";
    };
    unmount = {
      when = "shutdown";
      command = "/usr/bin/umount -a -r";
    };
  };

  trials = {
    boot = [
      {
        from = "medium";
        dialogue = [
          {
            expect = "login:";
            say = "root";
          }
          {
            expect = "# ";
            say = "busybox | head -n 1";
          }
          { expect = "BusyBox v"; }
        ];
      }
    ];
    inherit (trials) rescue;
  };
}
