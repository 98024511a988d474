# The whole system: a live medium with a shell, users, and programs to look around with, for virtual machines and usual PCs.
{
  acl,
  attr,
  bash,
  bzip2,
  coreutils,
  curl,
  diffutils,
  dosfstools,
  dropbear,
  e2fsprogs,
  ed,
  efi-stub,
  fd,
  file,
  filesystem,
  findutils,
  git,
  grep,
  gzip,
  image,
  install-image,
  iproute2,
  kmod,
  less,
  libc,
  libcap,
  linux,
  lz4,
  make,
  mawk,
  nano,
  ncurses,
  openssl,
  patch,
  psmisc,
  readline,
  sed,
  shadow,
  squashfs-tools,
  strace,
  sysvinit,
  tar,
  trials,
  util-linux,
  verified-init,
  xz,
  zlib,
  zstd,
}:

let
  # What the compiler of `small` cannot make.
  notOfSmall = builtins.filter (package: package.pending == null) [ fd ];
  console = "console=tty0 console=ttyS0,115200 panic=10 quiet";
  login = [
    {
      expect = "login:";
      say = "root";
    }
    {
      expect = "assword:";
      say = "larder";
    }
  ];
in
image {
  name = "larder-system";
  packages = [
    acl
    attr
    bash
    bzip2
    coreutils
    curl
    diffutils
    dosfstools
    dropbear
    e2fsprogs
    ed
    file
    filesystem
    findutils
    git
    grep
    gzip
    install-image
    iproute2
    kmod
    less
    libc
    libcap
    lz4
    make
    mawk
    nano
    ncurses
    openssl
    patch
    psmisc
    readline
    sed
    shadow
    squashfs-tools
    strace
    sysvinit
    tar
    util-linux
    xz
    zlib
    zstd
  ]
  ++ notOfSmall;
  kernel = linux;
  firstProgram = verified-init;
  stub = efi-stub;
  commandLines = {
    live = console;
    install = "${console} init=/usr/sbin/install-image";
    rescue = "${console} init=/usr/bin/bash";
  };
  init = "sysvinit";
  hostName = "larder";
  maxSize = 256 * 1024 * 1024;

  # The password is `larder`: the medium is the same for all who have it, so it is no secret.
  users.root = {
    uid = 0;
    group = "root";
    home = "/root";
    shell = "/usr/bin/bash";
    password = "$6$larder$5oq4q.llnw9ycTg2ap6xv7WNUGOAicnvWv1qge.Zfldqu81chMya38OJ4ND09519zJLNR/FpIS/x6ttM.eX730";
  };
  groups = {
    root.gid = 0;
    tty.gid = 5;
  };
  owners = {
    "etc/shadow".mode = "0600";
    "usr/bin/mount".mode = "4755";
    "usr/bin/passwd".mode = "4755";
    "usr/bin/su".mode = "4755";
    "usr/bin/umount".mode = "4755";
  };

  services = {
    devices = {
      when = "sysinit";
      command = "/usr/bin/sh -c 'mkdir -p /dev/pts && mount -t devpts devpts /dev/pts'";
    };
    hostname = {
      when = "sysinit";
      command = "/usr/bin/sh -c 'cat /etc/hostname >/proc/sys/kernel/hostname'";
    };
    serial.command = "/usr/sbin/agetty -L 115200 ttyS0 vt100";
    screen.command = "/usr/sbin/agetty tty1 linux";
    unmount = {
      when = "shutdown";
      command = "/usr/bin/umount -a -r";
    };
    z-halt = {
      when = "shutdown";
      command = "/usr/sbin/halt -d -f -p";
    };
  };

  trials = {
    boot = [
      {
        from = "medium";
        dialogue = login ++ [
          {
            expect = "# ";
            say = "ls -l /usr/bin/su && curl --version";
          }
          { expect = "-rwsr-xr-x"; }
          {
            expect = "OpenSSL/3.0.20";
            say = "cd /tmp && git init -q tree && cat tree/.git/HEAD";
          }
          {
            expect = "ref: refs/heads/";
            say = "fd --version; echo status $?";
          }
          { expect = if notOfSmall == [ ] then "status 127" else "fd 10."; }
        ];
      }
    ];
    # Drives are the kernel image, the medium and the disk, in this order.
    install = [
      {
        from = "install";
        dialogue = [
          {
            expect = "Which disk (nothing: stop)? ";
            say = "vdc";
          }
          {
            expect = "Type its name once more: ";
            say = "vdc";
          }
          { expect = "install-image: /dev/vdc is ready"; }
        ];
        ends = true;
      }
      {
        from = "disk";
        dialogue = login ++ [
          {
            expect = "# ";
            say = "cat /run/medium";
          }
          { expect = "/dev/vda"; }
        ];
      }
    ];
    inherit (trials) rescue;
  };
}
