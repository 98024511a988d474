{
  fetchSource,
  libc,
  mkPackage,
  ncurses,
}:

mkPackage rec {
  pname = "less";
  version = "668";
  source = fetchSource {
    name = pname;
    inherit version;
    urls = [
      "mirror://debian/pool/main/l/less/less_${version}.orig.tar.gz"
      "https://www.greenwoodsoftware.com/less/less-${version}.tar.gz"
    ];
    hash = "sha256:2819f55564d86d542abbecafd82ff61e819a3eec967faa36cd3e68f1596a44b8";
  };

  style = "autotools";
  buildInputs = [ ncurses ];
  runtime = [
    libc
    ncurses
  ];

  tests = {
    policy = "off";
    reason = "the tests are written in Perl, which the seed lacks";
  };

  verify = [
    "usr/bin/less"
    "usr/bin/lesskey"
  ];

  meta = {
    description = "Pager";
    homepage = "https://www.greenwoodsoftware.com/less/";
    licence = "GPL-3.0-or-later OR BSD-2-Clause";
  };
}
