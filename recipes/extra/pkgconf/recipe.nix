{
  fetchSource,
  libc,
  mkPackage,
}:

mkPackage rec {
  pname = "pkgconf";
  version = "1.8.1";
  source = fetchSource {
    name = pname;
    inherit version;
    urls = [
      "mirror://debian/pool/main/p/pkgconf/pkgconf_${version}.orig.tar.xz"
      "https://distfiles.ariadne.space/pkgconf/pkgconf-${version}.tar.xz"
    ];
    hash = "sha256:644361ada2942be05655d4452eb018791647c31bba429b287f1f68deb2dc6840";
  };

  style = "autotools";
  runtime = [ libc ];

  configureFlags = [ "--disable-static" ];
  phases = {
    afterInstall = ''ln -s pkgconf "$out/usr/bin/pkg-config"'';
  };

  tests = {
    policy = "off";
    reason = "they need kyua";
  };

  verify = [ "usr/bin/pkgconf" ];

  meta = {
    description = "Tells how to compile and link with libraries";
    homepage = "http://pkgconf.org/";
    licence = "ISC";
  };
}
