{
  build-tools,
  fetchSource,
  libc,
  mkPackage,
}:

mkPackage rec {
  pname = "openssl";
  version = "3.0.20";
  source = fetchSource {
    name = pname;
    inherit version;
    urls = [
      "mirror://debian/pool/main/o/openssl/openssl_${version}.orig.tar.gz"
      "https://github.com/openssl/openssl/releases/download/openssl-${version}/openssl-${version}.tar.gz"
    ];
    hash = "sha256:c80a01dfc70ece4dc21168932c37739042d404d46ccc81a5986dd75314ecda6f";
  };

  style = "custom";
  tools = [ build-tools ];
  runtime = [ libc ];

  phases = {
    configure = "./Configure linux-x86_64 --prefix=/usr --libdir=lib --openssldir=/etc/ssl shared no-tests no-engine no-afalgeng";
    build = "run_make build_sw";
    install = ''
      make install_sw install_ssldirs DESTDIR="$out"
      rm "$out/usr/bin/c_rehash"
      rm "$out"/usr/lib/lib{crypto,ssl}.a
      rm -f "$out"/etc/ssl/misc/{CA,tsget}* && rmdir "$out/etc/ssl/misc"
    '';
  };

  tests = {
    policy = "off";
    reason = "they are written in Perl and take very long";
  };

  verify = [
    "usr/bin/openssl"
    "usr/include/openssl/ssl.h"
    "usr/lib/libcrypto.so.3"
    "usr/lib/libssl.so.3"
  ];

  meta = {
    description = "Cryptography and TLS";
    homepage = "https://www.openssl.org/";
    licence = "Apache-2.0";
  };
}
