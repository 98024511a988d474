{
  fetchSource,
  libc,
  mkPackage,
  ncurses,
}:

mkPackage rec {
  pname = "psmisc";
  version = "23.7";
  source = fetchSource {
    name = pname;
    inherit version;
    urls = [
      "mirror://debian/pool/main/p/psmisc/psmisc_${version}.orig.tar.xz"
      "https://downloads.sourceforge.net/project/psmisc/psmisc/psmisc-${version}.tar.xz"
    ];
    hash = "sha256:58c55d9c1402474065adae669511c191de374b0871eec781239ab400b907c327";
  };

  style = "autotools";
  buildInputs = [ ncurses ];
  runtime = [
    libc
    ncurses
  ];

  configureFlags = [
    "--disable-harden-flags"
    "--disable-nls"
  ];

  tests = {
    policy = "off";
    reason = "they need DejaGnu";
  };

  verify = [
    "usr/bin/killall"
    "usr/bin/pstree"
  ];

  meta = {
    description = "Programs that show and signal processes";
    homepage = "https://gitlab.com/psmisc/psmisc";
    licence = "GPL-2.0-or-later";
  };
}
