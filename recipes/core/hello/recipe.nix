{
  fetchSource,
  libc,
  mkPackage,
}:

mkPackage rec {
  pname = "hello";
  version = "2.12.3";
  source = fetchSource {
    name = pname;
    inherit version;
    urls = [
      "mirror://debian/pool/main/h/hello/hello_${version}.orig.tar.gz"
      "https://ftp.gnu.org/gnu/hello/hello-${version}.tar.gz"
    ];
    hash = "sha256:0d5f60154382fee10b114a1c34e785d8b1f492073ae2d3a6f7b147687b366aa0";
  };

  style = "autotools";
  runtime = [ libc ];

  verify = [
    "usr/bin/hello"
    "usr/share/man/man1/hello.1"
  ];

  meta = {
    description = "Program that prints a friendly greeting";
    homepage = "https://www.gnu.org/software/hello/";
    licence = "GPL-3.0-or-later";
  };
}
