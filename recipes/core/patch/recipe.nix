{
  fetchSource,
  libc,
  mkPackage,
}:

mkPackage rec {
  pname = "patch";
  version = "2.8";
  source = fetchSource {
    name = pname;
    inherit version;
    urls = [
      "mirror://debian/pool/main/p/patch/patch_${version}.orig.tar.xz"
      "https://ftp.gnu.org/gnu/patch/patch-${version}.tar.xz"
    ];
    hash = "sha256:f87cee69eec2b4fcbf60a396b030ad6aa3415f192aa5f7ee84cad5e11f7f5ae3";
  };

  style = "autotools";
  runtime = [ libc ];

  verify = [
    "usr/bin/patch"
  ];

  meta = {
    description = "Applies differences to files";
    homepage = "https://www.gnu.org/software/patch/";
    licence = "GPL-3.0-or-later";
  };
}
