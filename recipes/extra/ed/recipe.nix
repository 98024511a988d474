{
  bash,
  fetchSource,
  libc,
  mkPackage,
}:

mkPackage rec {
  pname = "ed";
  version = "1.19";
  source = fetchSource {
    name = pname;
    inherit version;
    # Debian's own archive: upstream's has other bytes.
    urls = [ "mirror://debian/pool/main/e/ed/ed_${version}.orig.tar.gz" ];
    hash = "sha256:8e5c3e7c84972e73957ff396b8318a21795f86547dd1fe4ec4232a9e6e44ca1d";
  };

  style = "custom";
  runtime = [
    bash
    libc
  ];

  phases = {
    configure = ''./configure --prefix=/usr CC="''${CC:-gcc}"'';
    build = "run_make";
    check = "make check";
    install = ''make install-bin DESTDIR="$out"'';
  };

  verify = [ "usr/bin/ed" ];

  meta = {
    description = "Line editor";
    homepage = "https://www.gnu.org/software/ed/";
    licence = "GPL-2.0-or-later";
  };
}
