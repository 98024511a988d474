# Debian's own of that release knows no job server: two builds with it would run twice as many processes as there are processors.
{
  cxx,
  fetchSource,
  gcc-libs,
  libc,
  mkPackage,
  python,
  readPins,
  unpackDeb,
}:

mkPackage rec {
  pname = "ninja";
  version = "1.13.2";
  source = fetchSource {
    name = pname;
    inherit version;
    urls = [
      "mirror://debian/pool/main/n/ninja-build/ninja-build_${version}.orig.tar.gz"
      "https://github.com/ninja-build/ninja/archive/refs/tags/v${version}.tar.gz"
    ];
    hash = "sha256:974d6b2f4eeefa25625d34da3cb36bdcebe7fbce40f4c16ac0835fd1c0cbae17";
  };

  style = "custom";
  tools = [
    cxx
    python
    (unpackDeb { pin = (readPins ../meson/pins.json).ninja-build; })
  ];
  runtime = [
    gcc-libs
    libc
  ];

  phases = {
    configure = "CFLAGS=-O2 LDFLAGS=-s python3 configure.py";
    build = ''ninja -j"''${LARDER_JOBS:-1}" ninja'';
    install = ''install -D -m 755 ninja "$out/usr/bin/ninja"'';
  };

  tests = {
    policy = "off";
    reason = "they need googletest";
  };

  verify = [ "usr/bin/ninja" ];

  meta = {
    description = "Builds what build systems like meson write down";
    homepage = "https://ninja-build.org";
    licence = "Apache-2.0";
  };
}
