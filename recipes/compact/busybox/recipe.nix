{
  build-tools,
  fetchSource,
  libc,
  mkPackage,
}:

mkPackage rec {
  pname = "busybox";
  version = "1.37.0";
  source = fetchSource {
    name = pname;
    inherit version;
    urls = [
      "mirror://debian/pool/main/b/busybox/busybox_${version}.orig.tar.bz2"
      "https://busybox.net/downloads/busybox-${version}.tar.bz2"
    ];
    hash = "sha256:3311dff32e746499f4df0d5df04d7eb396382d7e108bb9250e7b519b837043a4";
  };

  style = "custom";
  tools = [ build-tools ];
  runtime = [ libc ];

  env.KCONFIG_NOTIMESTAMP = "1";
  phases = {
    # `tc` knows what kernel headers no longer have.
    configure = ''
      make defconfig HOSTCC=gcc
      sed -i 's/^CONFIG_TC=y/# CONFIG_TC is not set/' .config
      make oldconfig HOSTCC=gcc </dev/null
    '';
    build = ''run_make CC="''${CC:-gcc}" AR="''${AR:-ar}" HOSTCC=gcc busybox'';
    # One link for each applet, in the directory that it belongs to.
    install = ''
      make busybox.links CC="''${CC:-gcc}" AR="''${AR:-ar}" HOSTCC=gcc
      install -D -m 755 busybox "$out/usr/bin/busybox"
      mkdir -p "$out/usr/sbin"
      while read -r path; do
          case $path in
              /usr/sbin/* | /sbin/*) ln -s ../bin/busybox "$out/usr/sbin/''${path##*/}" ;;
              */linuxrc) ;;
              *) ln -s busybox "$out/usr/bin/''${path##*/}" ;;
          esac
      done <busybox.links
    '';
  };

  verify = [
    "usr/bin/busybox"
    "usr/bin/login"
    "usr/bin/sh"
    "usr/sbin/getty"
    "usr/sbin/init"
  ];

  tests = {
    policy = "off";
    reason = "they are for programs of the host";
  };

  meta = {
    description = "Shell, init and many small programs in one";
    homepage = "https://busybox.net/";
    licence = "GPL-2.0-only";
  };
}
