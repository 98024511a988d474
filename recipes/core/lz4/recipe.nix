{
  fetchSource,
  libc,
  mkPackage,
}:

mkPackage rec {
  pname = "lz4";
  version = "1.10.0";
  source = fetchSource {
    name = pname;
    inherit version;
    urls = [
      "mirror://debian/pool/main/l/lz4/lz4_${version}.orig.tar.gz"
      "https://github.com/lz4/lz4/releases/download/v${version}/lz4-${version}.tar.gz"
    ];
    hash = "sha256:537512904744b35e232912055ccf8ec66d768639ff3abe5788d90d792ec5f48b";
  };

  style = "make";
  runtime = [ libc ];

  phases = {
    build = "run_make PREFIX=/usr lib lz4";
    install = ''make "''${make_flags[@]}" install PREFIX=/usr DESTDIR="$out"'';
  };

  tests = {
    policy = "off";
    reason = "they need python";
  };

  verify = [
    "usr/bin/lz4"
    "usr/lib/liblz4.so.1"
  ];

  meta = {
    description = "Very fast compression";
    homepage = "https://lz4.org/";
    licence = "BSD-2-Clause AND GPL-2.0-or-later";
  };
}
