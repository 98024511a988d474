{
  fetchSource,
  libc,
  mkPackage,
}:

mkPackage rec {
  pname = "mawk";
  version = "1.3.4.20250131";
  source = fetchSource {
    name = pname;
    inherit version;
    urls = [
      "mirror://debian/pool/main/m/mawk/mawk_${version}.orig.tar.gz"
      "https://invisible-island.net/archives/mawk/mawk-1.3.4-20250131.tgz"
    ];
    hash = "sha256:51bcb82d577b141d896d9d9c3077d7aaa209490132e9f2b9573ba8511b3835be";
  };

  style = "autotools";
  runtime = [ libc ];

  verify = [
    "usr/bin/mawk"
  ];

  meta = {
    description = "Interpreter of the AWK language";
    homepage = "https://invisible-island.net/mawk/";
    licence = "GPL-2.0-only";
  };
}
