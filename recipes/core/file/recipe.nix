{
  fetchSource,
  libc,
  mkPackage,
  zlib,
}:

mkPackage rec {
  pname = "file";
  version = "5.46";
  source = fetchSource {
    name = pname;
    inherit version;
    urls = [
      "mirror://debian/pool/main/f/file/file_${version}.orig.tar.gz"
      "https://astron.com/pub/file/file-${version}.tar.gz"
    ];
    hash = "sha256:c9cc77c7c560c543135edc555af609d5619dbef011997e988ce40a3d75d86088";
  };

  style = "autotools";
  buildInputs = [ zlib ];
  runtime = [
    libc
    zlib
  ];

  verify = [
    "usr/bin/file"
    "usr/include/magic.h"
    "usr/lib/libmagic.so.1"
    "usr/share/misc/magic.mgc"
  ];

  meta = {
    description = "Tells what kind of file a file is";
    homepage = "https://www.darwinsys.com/file/";
    licence = "BSD-2-Clause";
  };
}
