{
  fetchSource,
  libc,
  mkPackage,
  zlib,
}:

mkPackage rec {
  pname = "dropbear";
  version = "2025.89";
  source = fetchSource {
    name = pname;
    inherit version;
    urls = [
      "mirror://debian/pool/main/d/dropbear/dropbear_${version}.orig.tar.bz2"
      "https://matt.ucc.asn.au/dropbear/releases/dropbear-${version}.tar.bz2"
    ];
    hash = "sha256:0d1f7ca711cfc336dc8a85e672cab9cfd8223a02fe2da0a4a7aeb58c9e113634";
  };

  style = "autotools";
  buildInputs = [ zlib ];
  runtime = [
    libc
    zlib
  ];

  configureFlags = [
    "--disable-harden"
    "--disable-lastlog"
    "--disable-wtmp"
  ];
  phases = {
    build = ''run_make PROGRAMS="dropbear dbclient dropbearkey scp" MULTI=1'';
    install = ''
      install -D -m 755 dropbearmulti "$out/usr/bin/dropbearmulti"
      mkdir "$out/usr/sbin"
      for program in dbclient dropbearkey scp; do
          ln -s dropbearmulti "$out/usr/bin/$program"
      done
      ln -s dbclient "$out/usr/bin/ssh"
      ln -s ../bin/dropbearmulti "$out/usr/sbin/dropbear"
    '';
  };

  tests = {
    policy = "off";
    reason = "they need a server";
  };

  verify = [
    "usr/bin/dbclient"
    "usr/sbin/dropbear"
  ];

  meta = {
    description = "Small server and client for SSH";
    homepage = "https://matt.ucc.asn.au/dropbear/dropbear.html";
    licence = "MIT";
  };
}
