{
  build-tools,
  fetchSource,
  libc,
  mkPackage,
  openssl,
  zlib,
}:

mkPackage rec {
  pname = "curl";
  version = "8.14.1";
  source = fetchSource {
    name = pname;
    inherit version;
    urls = [
      "mirror://debian/pool/main/c/curl/curl_${version}.orig.tar.gz"
      "https://curl.se/download/curl-${version}.tar.gz"
    ];
    hash = "sha256:6766ada7101d292b42b8b15681120acd68effa4a9660935853cf6d61f0d984d4";
  };

  style = "autotools";
  tools = [ build-tools ];
  buildInputs = [
    openssl
    zlib
  ];
  runtime = [
    libc
    openssl
    zlib
  ];

  configureFlags = [
    "--disable-docs"
    "--disable-ldap"
    "--disable-manual"
    "--disable-static"
    "--with-ca-bundle=/etc/ssl/certs/ca-certificates.crt"
    "--with-openssl"
    "--with-zlib"
    "--without-brotli"
    "--without-libidn2"
    "--without-libpsl"
    "--without-nghttp2"
    "--without-zstd"
  ];
  phases = {
    afterInstall = ''rm "$out/usr/bin/curl-config" "$out/usr/bin/wcurl"'';
  };

  tests = {
    policy = "off";
    reason = "they need servers";
  };

  verify = [
    "usr/bin/curl"
    "usr/lib/libcurl.so.4"
  ];

  meta = {
    description = "Transfers data with URLs";
    homepage = "https://curl.se/";
    licence = "curl";
  };
}
