{
  bash,
  build-tools,
  coreutils,
  curl,
  fetchSource,
  libc,
  mkPackage,
  openssl,
  sed,
  zlib,
}:

mkPackage rec {
  pname = "git";
  version = "2.47.3";
  source = fetchSource {
    name = pname;
    inherit version;
    urls = [
      "https://www.kernel.org/pub/software/scm/git/git-${version}.tar.xz"
      "mirror://debian/pool/main/g/git/git_${version}.orig.tar.xz"
    ];
    hash = "sha256:9c2eb1250781b3e5bfef098572d07fdf132d67e6c065e4307332ade9819a1501";
  };

  style = "make";
  tools = [ build-tools ];
  buildInputs = [
    curl
    openssl
    zlib
  ];
  runtime = [
    bash
    coreutils
    curl
    libc
    openssl
    sed
    zlib
  ];

  makeFlags = [
    "prefix=/usr"
    "CFLAGS=-O2"
    "CURL_CONFIG=true"
    "CURL_LDFLAGS=-lcurl"
    "INSTALL_SYMLINKS=1"
    "NO_EXPAT=1"
    "NO_GETTEXT=1"
    "NO_INSTALL_HARDLINKS=1"
    "NO_PERL=1"
    "NO_PYTHON=1"
    "NO_REGEX=NeedsStartEnd"
    "NO_TCLTK=1"
    "SHELL_PATH=/bin/sh"
  ];
  phases.afterInstall = ''
    # Written in Perl, which the system does not have.
    grep -rlIZ '^#!.*perl' "$out" | xargs -0 rm
  '';

  tests = {
    policy = "off";
    reason = "they are written for Perl and take very long";
  };

  verify = [
    "usr/bin/git"
    "usr/libexec/git-core/git-remote-https"
    "usr/share/git-core/templates/info/exclude"
  ];

  meta = {
    description = "Keeps the history of files, and exchanges it with others";
    homepage = "https://git-scm.com/";
    licence = "GPL-2.0-only";
  };
}
