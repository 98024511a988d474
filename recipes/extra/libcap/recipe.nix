{
  build-tools,
  fetchSource,
  libc,
  mkPackage,
}:

mkPackage rec {
  pname = "libcap";
  version = "2.75";
  source = fetchSource {
    name = pname;
    inherit version;
    urls = [
      "mirror://debian/pool/main/libc/libcap2/libcap2_${version}.orig.tar.xz"
      "https://www.kernel.org/pub/linux/libs/security/linux-privs/libcap2/libcap-${version}.tar.xz"
    ];
    hash = "sha256:de4e7e064c9ba451d5234dd46e897d7c71c96a9ebf9a0c445bc04f4742d83632";
  };

  style = "custom";
  tools = [ build-tools ];
  runtime = [ libc ];

  phases = {
    build = ''
      run_make -C libcap CC="''${CC:-gcc}" AR="''${AR:-ar}" RANLIB="''${RANLIB:-ranlib}" BUILD_CC=gcc PTHREADS=no lib=lib
      run_make -C progs CC="''${CC:-gcc}" BUILD_CC=gcc PTHREADS=no DYNAMIC=yes
    '';
    install = ''
      make -C libcap install CC="''${CC:-gcc}" BUILD_CC=gcc PTHREADS=no lib=lib prefix=/usr RAISE_SETFCAP=no DESTDIR="$out"
      for program in capsh getcap getpcaps setcap; do
          install -D -m 755 "progs/$program" "$out/usr/sbin/$program"
      done
      rm "$out"/usr/lib/*.a
    '';
  };

  tests = {
    policy = "off";
    reason = "they need root";
  };

  verify = [
    "usr/lib/libcap.so.2"
    "usr/sbin/getcap"
  ];

  meta = {
    description = "Capabilities of processes and files";
    homepage = "https://sites.google.com/site/fullycapable/";
    licence = "BSD-3-Clause OR GPL-2.0-only";
  };
}
