{
  build-tools,
  fetchSource,
  libc,
  mkPackage,
  ncurses,
  zlib,
}:

mkPackage rec {
  pname = "util-linux";
  version = "2.41.5";
  source = fetchSource {
    name = pname;
    inherit version;
    urls = [
      "mirror://debian/pool/main/u/util-linux/util-linux_${version}.orig.tar.xz"
      "https://www.kernel.org/pub/linux/utils/util-linux/v2.41/util-linux-${version}.tar.xz"
    ];
    hash = "sha256:f586e35d320ff537aab3ffeca37e9ecd482ccbe013590db4429a414d8aa6a728";
  };

  style = "autotools";
  tools = [ build-tools ];
  buildInputs = [
    ncurses
    zlib
  ];
  runtime = [
    libc
    ncurses
    zlib
  ];

  # It has no C++, but asks for a preprocessor of it unless it is told that there is none.
  env.CXX = "no";

  configureFlags = [
    "--bindir=/usr/bin"
    "--disable-asciidoc"
    "--disable-bash-completion"
    "--disable-chfn-chsh"
    "--disable-liblastlog2"
    "--disable-login"
    "--disable-lsfd"
    "--disable-makeinstall-chown"
    "--disable-makeinstall-setuid"
    "--disable-nls"
    "--disable-nologin"
    "--disable-pam-lastlog2"
    "--disable-poman"
    "--disable-pylibmount"
    "--disable-runuser"
    "--disable-setpriv"
    "--disable-static"
    "--disable-su"
    "--disable-sulogin"
    "--disable-use-tty-group"
    "--sbindir=/usr/sbin"
    "--without-btrfs"
    "--without-cap-ng"
    "--without-python"
    "--without-readline"
    "--without-systemd"
    "--without-udev"
  ];

  tests = {
    policy = "off";
    reason = "they need devices";
  };

  verify = [
    "usr/bin/lsblk"
    "usr/bin/mount"
    "usr/lib/libblkid.so.1"
    "usr/lib/libmount.so.1"
    "usr/lib/libuuid.so.1"
    "usr/sbin/agetty"
    "usr/sbin/fdisk"
  ];

  meta = {
    description = "Programs for file systems, disks and terminals";
    homepage = "https://www.kernel.org/pub/linux/utils/util-linux/";
    licence = "GPL-2.0-or-later AND LGPL-2.1-or-later AND BSD-3-Clause";
  };
}
