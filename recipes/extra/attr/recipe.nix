{
  fetchSource,
  libc,
  mkPackage,
}:

mkPackage rec {
  pname = "attr";
  version = "2.5.2";
  source = fetchSource {
    name = pname;
    inherit version;
    urls = [
      "mirror://debian/pool/main/a/attr/attr_${version}.orig.tar.xz"
      "https://download.savannah.nongnu.org/releases/attr/attr-${version}.tar.xz"
    ];
    hash = "sha256:f2e97b0ab7ce293681ab701915766190d607a1dba7fae8a718138150b700a70b";
  };

  style = "autotools";
  runtime = [ libc ];

  # musl declares `basename` where POSIX has it only.
  env.CFLAGS = "-O2 -include libgen.h";
  configureFlags = [
    "--disable-nls"
    "--disable-static"
  ];

  tests = {
    policy = "off";
    reason = "they are written in Perl";
  };

  verify = [
    "usr/bin/getfattr"
    "usr/lib/libattr.so.1"
  ];

  meta = {
    description = "Extended attributes of files";
    homepage = "https://savannah.nongnu.org/projects/attr/";
    licence = "GPL-2.0-or-later AND LGPL-2.1-or-later";
  };
}
