# The headers of the C library, where the cross compiler looks for them when its own library is built.
{
  fetchSource,
  mkPackage,
}:

mkPackage rec {
  pname = "musl-headers";
  version = "1.2.5";
  source = fetchSource {
    name = "musl";
    inherit version;
    urls = [
      "mirror://debian/pool/main/m/musl/musl_${version}.orig.tar.gz"
      "https://musl.libc.org/releases/musl-${version}.tar.gz"
    ];
    hash = "sha256:a9a118bbe84d8764da0ea0d28b3ab3fae8477fc7e4085d90102b8596fc7c75e4";
  };

  style = "custom";
  phases = {
    check = null;
    install = ''make ARCH=x86_64 prefix=/usr DESTDIR="$out/sysroot" install-headers'';
  };

  verify = [ "sysroot/usr/include/stdlib.h" ];

  meta = {
    description = "Headers of the C library musl";
    homepage = "https://musl.libc.org/";
    licence = "MIT";
  };
}
