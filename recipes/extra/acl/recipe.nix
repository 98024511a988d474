{
  attr,
  fetchSource,
  libc,
  mkPackage,
}:

mkPackage rec {
  pname = "acl";
  version = "2.3.2";
  source = fetchSource {
    name = pname;
    inherit version;
    urls = [
      "mirror://debian/pool/main/a/acl/acl_${version}.orig.tar.xz"
      "https://download.savannah.nongnu.org/releases/acl/acl-${version}.tar.xz"
    ];
    hash = "sha256:97203a72cae99ab89a067fe2210c1cbf052bc492b479eca7d226d9830883b0bd";
  };

  style = "autotools";
  buildInputs = [ attr ];
  runtime = [
    attr
    libc
  ];

  configureFlags = [
    "--disable-nls"
    "--disable-static"
  ];

  tests = {
    policy = "off";
    reason = "they need root";
  };

  verify = [
    "usr/bin/getfacl"
    "usr/lib/libacl.so.1"
  ];

  meta = {
    description = "Access control lists of files";
    homepage = "https://savannah.nongnu.org/projects/acl/";
    licence = "GPL-2.0-or-later AND LGPL-2.1-or-later";
  };
}
