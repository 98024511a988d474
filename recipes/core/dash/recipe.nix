{
  fetchSource,
  libc,
  mkPackage,
}:

mkPackage rec {
  pname = "dash";
  version = "0.5.12";
  source = fetchSource {
    name = pname;
    inherit version;
    urls = [
      "mirror://debian/pool/main/d/dash/dash_${version}.orig.tar.gz"
      "http://gondor.apana.org.au/~herbert/dash/files/dash-${version}.tar.gz"
    ];
    hash = "sha256:6a474ac46e8b0b32916c4c60df694c82058d3297d8b385b74508030ca4a8f28a";
  };

  style = "autotools";
  runtime = [ libc ];

  tests = {
    policy = "off";
    reason = "it has none";
  };

  verify = [
    "usr/bin/dash"
  ];

  meta = {
    description = "Small shell for scripts";
    homepage = "http://gondor.apana.org.au/~herbert/dash/";
    licence = "BSD-3-Clause AND GPL-2.0-or-later";
  };
}
