{
  fetchSource,
  libc,
  mkPackage,
}:

mkPackage rec {
  pname = "diffutils";
  version = "3.10";
  source = fetchSource {
    name = pname;
    inherit version;
    urls = [
      "mirror://debian/pool/main/d/diffutils/diffutils_${version}.orig.tar.xz"
      "https://ftp.gnu.org/gnu/diffutils/diffutils-${version}.tar.xz"
    ];
    hash = "sha256:90e5e93cc724e4ebe12ede80df1634063c7a855692685919bfe60b556c9bd09e";
  };

  style = "autotools";
  runtime = [ libc ];

  verify = [
    "usr/bin/cmp"
    "usr/bin/diff"
    "usr/bin/diff3"
    "usr/bin/sdiff"
  ];

  meta = {
    description = "Compares files";
    homepage = "https://www.gnu.org/software/diffutils/";
    licence = "GPL-3.0-or-later";
  };
}
