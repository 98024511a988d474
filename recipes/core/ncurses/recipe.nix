{
  fetchSource,
  libc,
  mkPackage,
}:

mkPackage rec {
  pname = "ncurses";
  version = "6.5+20250216";
  source = fetchSource {
    name = pname;
    inherit version;
    urls = [ "mirror://debian/pool/main/n/ncurses/ncurses_${version}.orig.tar.gz" ];
    hash = "sha256:b37baafa436e7133bb12a185cb8f60e1599b1947e9f0181c76f3190acf28b6eb";
  };

  style = "autotools";
  runtime = [ libc ];

  configureFlags = [
    "--disable-stripping"
    "--enable-pc-files"
    "--enable-widec"
    "--with-pkg-config-libdir=/usr/lib/pkgconfig"
    "--with-shared"
    "--without-ada"
    "--without-cxx-binding"
    "--without-debug"
    "--without-normal"
    "--without-tests"
  ];

  phases.afterInstall = ''
    # Programs that ask for the library without its `w` get this one.
    for library in form menu ncurses panel; do
        ln -s "lib''${library}w.so" "$out/usr/lib/lib$library.so"
        ln -s "''${library}w.pc" "$out/usr/lib/pkgconfig/$library.pc"
    done
    # A shell script, and the shell needs this package; the .pc files say the same.
    rm "$out/usr/bin/ncursesw6-config"
  '';

  verify = [
    "usr/bin/infocmp"
    "usr/bin/tic"
    "usr/include/curses.h"
    "usr/lib/libncursesw.so.6"
    "usr/lib/pkgconfig/ncursesw.pc"
    "usr/share/terminfo/l/linux"
    "usr/share/terminfo/x/xterm-256color"
  ];

  tests = {
    policy = "off";
    reason = "the test programs are interactive";
  };

  meta = {
    description = "Library for terminal interfaces, and the terminal data base";
    homepage = "https://invisible-island.net/ncurses/";
    licence = "X11-distribute-modifications-variant";
  };
}
