{
  build-tools,
  fetchSource,
  libc,
  mkPackage,
  ncurses,
}:

mkPackage rec {
  pname = "nano";
  version = "8.4";
  source = fetchSource {
    name = pname;
    inherit version;
    urls = [
      "mirror://debian/pool/main/n/nano/nano_${version}.orig.tar.xz"
      "https://ftp.gnu.org/gnu/nano/nano-${version}.tar.xz"
    ];
    hash = "sha256:5ad29222bbd55624d87ea677928b3106a743114d6c6f9b41f36c97be2a8e628d";
  };

  style = "autotools";
  tools = [ build-tools ];
  buildInputs = [ ncurses ];
  runtime = [
    libc
    ncurses
  ];

  configureFlags = [
    "--disable-libmagic"
    "--disable-nls"
    "--enable-utf8"
  ];

  tests = {
    policy = "off";
    reason = "it has none";
  };

  verify = [ "usr/bin/nano" ];

  meta = {
    description = "Small text editor";
    homepage = "https://www.nano-editor.org/";
    licence = "GPL-3.0-or-later";
  };
}
