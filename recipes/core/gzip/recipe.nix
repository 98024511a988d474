{
  bash,
  fetchSource,
  libc,
  mkPackage,
}:

mkPackage rec {
  pname = "gzip";
  version = "1.13";
  source = fetchSource {
    name = pname;
    inherit version;
    urls = [
      "mirror://debian/pool/main/g/gzip/gzip_${version}.orig.tar.xz"
      "https://ftp.gnu.org/gnu/gzip/gzip-${version}.tar.xz"
    ];
    hash = "sha256:7454eb6935db17c6655576c2e1b0fabefd38b4d0936e0f87f48cd062ce91a057";
  };

  style = "autotools";
  runtime = [
    bash
    libc
  ]; # zgrep and its like are shell scripts

  # A test runs `more`, which the seed lacks.
  phases.beforeCheck = ''
    mkdir /build/programs
    ln -s /usr/bin/cat /build/programs/more
    export PATH=$PATH:/build/programs
  '';

  verify = [
    "usr/bin/gzip"
    "usr/bin/gunzip"
    "usr/bin/zcat"
  ];

  meta = {
    description = "Compression in the gzip format";
    homepage = "https://www.gnu.org/software/gzip/";
    licence = "GPL-3.0-or-later";
  };
}
