{
  fetchSource,
  libc,
  mkPackage,
  xz,
  zlib,
  zstd,
}:

mkPackage rec {
  pname = "squashfs-tools";
  version = "4.6.1";
  source = fetchSource {
    name = pname;
    inherit version;
    urls = [
      "mirror://debian/pool/main/s/squashfs-tools/squashfs-tools_${version}.orig.tar.gz"
      "https://github.com/plougher/squashfs-tools/archive/refs/tags/${version}.tar.gz"
    ];
    hash = "sha256:94201754b36121a9f022a190c75f718441df15402df32c2b520ca331a107511c";
  };

  style = "custom";
  buildInputs = [
    zlib
    xz
    zstd
  ];
  runtime = [
    libc
    xz
    zlib
    zstd
  ];

  phases = {
    build = ''run_make -C squashfs-tools CC="''${CC:-gcc}" XZ_SUPPORT=1 ZSTD_SUPPORT=1 mksquashfs unsquashfs'';
    install = ''
      for program in mksquashfs unsquashfs; do
          install -D -m 755 "squashfs-tools/$program" "$out/usr/bin/$program"
      done
    '';
  };

  tests = {
    policy = "off";
    reason = "it has none";
  };

  verify = [
    "usr/bin/mksquashfs"
    "usr/bin/unsquashfs"
  ];

  meta = {
    description = "Makes and unpacks squashfs file systems";
    homepage = "https://github.com/plougher/squashfs-tools";
    licence = "GPL-2.0-or-later";
  };
}
