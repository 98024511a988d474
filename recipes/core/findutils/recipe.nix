{
  bash,
  fetchSource,
  libc,
  mkPackage,
}:

mkPackage rec {
  pname = "findutils";
  version = "4.10.0";
  source = fetchSource {
    name = pname;
    inherit version;
    urls = [
      "mirror://debian/pool/main/f/findutils/findutils_${version}.orig.tar.xz"
      "https://ftp.gnu.org/gnu/findutils/findutils-${version}.tar.xz"
    ];
    hash = "sha256:1387e0b67ff247d2abde998f90dfbf70c1491391a59ddfecb8ae698789f0a4f5";
  };

  style = "autotools";
  runtime = [
    bash
    libc
  ]; # updatedb is a shell script

  tests =
    if libc.pname == "musl" then
      {
        policy = "known-failures";
        reason = "gnulib's test of c32ispunct fails: iswpunct of musl knows other characters";
      }
    else
      { policy = "on"; };

  verify = [
    "usr/bin/find"
    "usr/bin/xargs"
  ];

  meta = {
    description = "Finds files and builds command lines";
    homepage = "https://www.gnu.org/software/findutils/";
    licence = "GPL-3.0-or-later";
  };
}
