{
  fetchSource,
  libc,
  mkPackage,
  ncurses,
}:

mkPackage rec {
  pname = "readline";
  version = "8.2";
  source = fetchSource {
    name = pname;
    inherit version;
    urls = [
      "mirror://debian/pool/main/r/readline/readline_${version}.orig.tar.gz"
      "https://ftp.gnu.org/gnu/readline/readline-${version}.tar.gz"
    ];
    hash = "sha256:3feb7171f16a84ee82ca18a36d7b9be109a52c04f492a053331d7d1095007c35";
  };

  style = "autotools";
  buildInputs = [ ncurses ];
  runtime = [
    libc
    ncurses
  ];

  # Without these its libraries do not say that they need ncurses.
  configureFlags = [ "--with-curses" ];
  makeFlags = [ "SHLIB_LIBS=-lncursesw" ];

  tests = {
    policy = "off";
    reason = "it has none";
  };

  verify = [
    "usr/include/readline/readline.h"
    "usr/lib/libhistory.so.8"
    "usr/lib/libreadline.so.8"
  ];

  meta = {
    description = "Line editing with history";
    homepage = "https://tiswww.case.edu/php/chet/readline/rltop.html";
    licence = "GPL-3.0-or-later";
  };
}
