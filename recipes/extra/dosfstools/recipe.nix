{
  fetchSource,
  libc,
  mkPackage,
}:

mkPackage rec {
  pname = "dosfstools";
  version = "4.2";
  source = fetchSource {
    name = pname;
    inherit version;
    urls = [
      "mirror://debian/pool/main/d/dosfstools/dosfstools_${version}.orig.tar.gz"
      "https://github.com/dosfstools/dosfstools/releases/download/v${version}/dosfstools-${version}.tar.gz"
    ];
    hash = "sha256:64926eebf90092dca21b14259a5301b7b98e7b1943e8a201c7d726084809b527";
  };

  style = "autotools";
  runtime = [ libc ];

  tests = {
    policy = "off";
    reason = "they need xxd";
  };

  verify = [
    "usr/sbin/fsck.fat"
    "usr/sbin/mkfs.fat"
  ];

  meta = {
    description = "Makes and checks FAT file systems";
    homepage = "https://github.com/dosfstools/dosfstools";
    licence = "GPL-3.0-or-later";
  };
}
