{
  fetchSource,
  libc,
  mkPackage,
}:

mkPackage rec {
  pname = "make";
  version = "4.4.1";
  source = fetchSource {
    name = pname;
    inherit version;
    urls = [ "mirror://debian/pool/main/m/make-dfsg/make-dfsg_${version}.orig.tar.xz" ];
    hash = "sha256:3b16b00ea1079af9f8096bbc71ff7cc00c249fc6a862003da3c42308a0adb0fe";
  };

  style = "autotools";
  runtime = [ libc ];

  configureFlags = [ "--without-guile" ];

  # The archive was repacked without its manual, but `configure` and the makefile expect it.
  phases = {
    beforeConfigure = ''
      stub_makefile_in doc
      touch doc/make.1
    '';
    afterInstall = ''rm -r "$out/usr/share/man"'';
  };

  tests = {
    policy = "off";
    reason = "the tests are written in Perl, which the seed lacks";
  };

  verify = [
    "usr/bin/make"
    "usr/include/gnumake.h"
  ];

  meta = {
    description = "Builds what is out of date";
    homepage = "https://www.gnu.org/software/make/";
    licence = "GPL-3.0-or-later";
  };
}
