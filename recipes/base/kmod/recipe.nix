{
  autotools,
  fetchSource,
  libc,
  mkPackage,
  xz,
  zlib,
}:

mkPackage rec {
  pname = "kmod";
  version = "30+20221128";
  source = fetchSource {
    name = pname;
    inherit version;
    # Debian's own archive of a commit: upstream has none of it.
    urls = [ "mirror://debian/pool/main/k/kmod/kmod_${version}.orig.tar.xz" ];
    hash = "sha256:00bc9ae4f1f9e1bbc1266d838452865bc7c24271d0853939edbe3029ad22af4e";
  };

  style = "autotools";
  tools = [ autotools ];
  buildInputs = [
    zlib
    xz
  ];
  runtime = [
    libc
    xz
    zlib
  ];

  # musl declares `basename` where POSIX has it only.
  env.CFLAGS = "-O2 -include libgen.h";
  configureFlags = [
    "--disable-manpages"
    "--disable-test-modules"
    "--with-xz"
    "--with-zlib"
  ];
  phases = {
    beforeConfigure = ''
      mkdir -p m4
      : >libkmod/docs/gtk-doc.make
      autoreconf -fi
    '';
    afterInstall = ''
      mkdir -p "$out/usr/sbin"
      for name in depmod insmod lsmod modinfo modprobe rmmod; do
          ln -sf ../bin/kmod "$out/usr/sbin/$name"
      done
    '';
  };

  tests = {
    policy = "off";
    reason = "they need modules of a kernel";
  };

  verify = [
    "usr/bin/kmod"
    "usr/sbin/modprobe"
    "usr/lib/libkmod.so.2"
  ];

  meta = {
    description = "Loads modules of the kernel";
    homepage = "https://git.kernel.org/pub/scm/utils/kernel/kmod/kmod.git";
    licence = "GPL-2.0-or-later AND LGPL-2.1-or-later";
  };
}
