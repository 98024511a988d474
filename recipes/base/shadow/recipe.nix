{
  build-tools,
  fetchSource,
  libc,
  mkPackage,
}:

mkPackage rec {
  pname = "shadow";
  version = "4.17.4";
  source = fetchSource {
    name = pname;
    inherit version;
    urls = [
      "mirror://debian/pool/main/s/shadow/shadow_${version}.orig.tar.xz"
      "https://github.com/shadow-maint/shadow/releases/download/${version}/shadow-${version}.tar.xz"
    ];
    hash = "sha256:554801054694ff7d8a7abdf0d6ece34e2f16e111673cc01b8c9ee1278451181e";
  };

  style = "autotools";
  tools = [ build-tools ];
  runtime = [ libc ];

  # Modes are the manifest's to give.
  makeFlags = [ "suidperms=755" ];
  configureFlags = [
    "--bindir=/usr/bin"
    "--sbindir=/usr/sbin"
    "--disable-lastlog"
    "--disable-logind"
    "--disable-man"
    "--disable-nls"
    "--disable-shared"
    "--enable-subordinate-ids"
    "--without-acl"
    "--without-attr"
    "--without-audit"
    "--without-libbsd"
    "--without-libpam"
    "--without-nscd"
    "--without-selinux"
    "--without-sssd"
    "--without-tcb"
  ];

  tests = {
    policy = "off";
    reason = "they need root";
  };

  verify = [
    "usr/bin/login"
    "usr/bin/passwd"
    "usr/bin/su"
    "usr/sbin/useradd"
  ];

  meta = {
    description = "Logging in, and programs for users and groups";
    homepage = "https://github.com/shadow-maint/shadow";
    licence = "BSD-3-Clause";
  };
}
