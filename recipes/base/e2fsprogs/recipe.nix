{
  build-tools,
  fetchSource,
  libc,
  mkPackage,
  util-linux,
}:

mkPackage rec {
  pname = "e2fsprogs";
  version = "1.47.2";
  source = fetchSource {
    name = pname;
    inherit version;
    urls = [
      "mirror://debian/pool/main/e/e2fsprogs/e2fsprogs_${version}.orig.tar.gz"
      "https://www.kernel.org/pub/linux/kernel/people/tytso/e2fsprogs/v${version}/e2fsprogs-${version}.tar.gz"
    ];
    hash = "sha256:6dcd67ff9d8b13274ba3f088e4318be4f5b71412cd863524423fc49d39a6371f";
  };

  style = "autotools";
  tools = [ build-tools ];
  buildInputs = [ util-linux ];
  runtime = [
    libc
    util-linux
  ];

  configureFlags = [
    "--disable-e2initrd-helper"
    "--disable-fsck"
    "--disable-libblkid"
    "--disable-libuuid"
    "--disable-uuidd"
    "--enable-elf-shlibs"
    "--with-crond-dir=no"
    "--with-systemd-unit-dir=no"
    "--with-udev-rules-dir=no"
    "--without-libarchive"
  ];
  phases = {
    afterInstall = ''
      make install-libs DESTDIR="$out"
      rm "$out/usr/sbin/e2scrub" "$out/usr/sbin/e2scrub_all" "$out/usr/bin/compile_et" "$out/usr/bin/mk_cmds"
    '';
  };

  tests = {
    policy = "off";
    reason = "they take very long";
  };

  verify = [
    "usr/sbin/mke2fs"
    "usr/sbin/e2fsck"
    "usr/lib/libext2fs.so.2"
  ];

  meta = {
    description = "Makes, checks and changes ext4 file systems";
    homepage = "https://e2fsprogs.sourceforge.net/";
    licence = "GPL-2.0-only AND LGPL-2.0-only AND BSD-3-Clause AND MIT";
  };
}
