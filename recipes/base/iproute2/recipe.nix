{
  build-tools,
  fetchSource,
  libc,
  mkPackage,
}:

mkPackage rec {
  pname = "iproute2";
  version = "6.1.0";
  source = fetchSource {
    name = pname;
    inherit version;
    urls = [
      "mirror://debian/pool/main/i/iproute2/iproute2_${version}.orig.tar.xz"
      "https://www.kernel.org/pub/linux/utils/net/iproute2/iproute2-${version}.tar.xz"
    ];
    hash = "sha256:5ce12a0fec6b212725ef218735941b2dab76244db7e72646a76021b0537b43ab";
  };

  style = "custom";
  tools = [ build-tools ];
  runtime = [ libc ];

  phases = {
    configure = ''
      sed -i "s/^SUBDIRS=.*/SUBDIRS=lib ip bridge/" Makefile
      ./configure
    '';
    # musl declares `basename` where POSIX has it only.
    build = ''run_make CC="''${CC:-gcc}" AR="''${AR:-ar}" HOSTCC=gcc CCOPTS="-O2 -D_GNU_SOURCE -include libgen.h" SHARED_LIBS=n SUBDIRS="lib ip"'';
    install = ''install -D -m 755 ip/ip "$out/usr/sbin/ip"'';
  };

  tests = {
    policy = "off";
    reason = "they need a network";
  };

  verify = [ "usr/sbin/ip" ];

  meta = {
    description = "Sets up the network";
    homepage = "https://wiki.linuxfoundation.org/networking/iproute2";
    licence = "GPL-2.0-or-later";
  };
}
