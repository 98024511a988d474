{
  bash,
  fetchSource,
  libc,
  mkPackage,
}:

mkPackage rec {
  pname = "grep";
  version = "3.11";
  source = fetchSource {
    name = pname;
    inherit version;
    urls = [
      "mirror://debian/pool/main/g/grep/grep_${version}.orig.tar.xz"
      "https://ftp.gnu.org/gnu/grep/grep-${version}.tar.xz"
    ];
    hash = "sha256:1db2aedde89d0dea42b16d9528f894c8d15dae4e190b59aecc78f5a951276eab";
  };

  style = "autotools";
  runtime = [
    bash
    libc
  ]; # egrep and fgrep are shell scripts

  verify = [
    "usr/bin/grep"
    "usr/bin/egrep"
    "usr/bin/fgrep"
  ];

  meta = {
    description = "Prints lines that match a pattern";
    homepage = "https://www.gnu.org/software/grep/";
    licence = "GPL-3.0-or-later";
  };
}
