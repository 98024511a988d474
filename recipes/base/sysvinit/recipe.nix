{
  fetchSource,
  libc,
  mkPackage,
}:

mkPackage rec {
  pname = "sysvinit";
  version = "3.18";
  source = fetchSource {
    name = pname;
    inherit version;
    urls = [ "mirror://debian/pool/main/s/sysvinit/sysvinit_${version}.orig.tar.gz" ];
    hash = "sha256:be9fdd55f2c1d1469a1f9d69e9d6abf47a2c0003df987b72605c653e92e5bb14";
  };

  style = "custom";
  runtime = [ libc ];

  phases = {
    build = ''run_make -C src CC="''${CC:-gcc}" CFLAGS="-O2 -D_GNU_SOURCE" init halt shutdown killall5'';
    install = ''
      for program in init halt shutdown killall5; do
          install -D -m 755 "src/$program" "$out/usr/sbin/$program"
      done
      ln -s halt "$out/usr/sbin/poweroff"
      ln -s halt "$out/usr/sbin/reboot"
    '';
  };

  tests = {
    policy = "off";
    reason = "it has none";
  };

  verify = [
    "usr/sbin/halt"
    "usr/sbin/init"
  ];

  meta = {
    description = "First process of the system, and programs that end it";
    homepage = "https://github.com/slicer69/sysvinit";
    licence = "GPL-2.0-or-later";
  };
}
