{
  fetchSource,
  libc,
  mkPackage,
}:

mkPackage rec {
  pname = "sed";
  version = "4.9";
  source = fetchSource {
    name = pname;
    inherit version;
    urls = [
      "mirror://debian/pool/main/s/sed/sed_${version}.orig.tar.xz"
      "https://ftp.gnu.org/gnu/sed/sed-${version}.tar.xz"
    ];
    hash = "sha256:6e226b732e1cd739464ad6862bd1a1aba42d7982922da7a53519631d24975181";
  };

  style = "autotools";
  runtime = [ libc ];

  verify = [
    "usr/bin/sed"
  ];

  meta = {
    description = "Stream editor";
    homepage = "https://www.gnu.org/software/sed/";
    licence = "GPL-3.0-or-later";
  };
}
