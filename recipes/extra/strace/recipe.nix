{
  build-tools,
  fetchSource,
  libc,
  mkPackage,
}:

mkPackage rec {
  pname = "strace";
  version = "6.1";
  source = fetchSource {
    name = pname;
    inherit version;
    urls = [
      "mirror://debian/pool/main/s/strace/strace_${version}.orig.tar.xz"
      "https://strace.io/files/${version}/strace-${version}.tar.xz"
    ];
    hash = "sha256:2579e9cec37dbb786f6ea0bebd15f40dd561ef2bde2a2a2ecdce5963b01859fd";
  };

  style = "autotools";
  tools = [ build-tools ];
  runtime = [ libc ];

  configureFlags = [
    "--disable-gcc-Werror"
    "--enable-mpers=no"
    "--without-libdw"
    "--without-libunwind"
  ];
  phases = {
    afterInstall = ''rm "$out/usr/bin/strace-log-merge"'';
  };

  tests = {
    policy = "off";
    reason = "they need to trace";
  };

  verify = [ "usr/bin/strace" ];

  meta = {
    description = "Shows what a program asks of the kernel";
    homepage = "https://strace.io/";
    licence = "LGPL-2.1-or-later";
  };
}
