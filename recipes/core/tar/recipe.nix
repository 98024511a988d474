{
  fetchSource,
  libc,
  mkPackage,
}:

mkPackage rec {
  pname = "tar";
  version = "1.35";
  source = fetchSource {
    name = pname;
    inherit version;
    urls = [ "mirror://debian/pool/main/t/tar/tar_${version}+dfsg.orig.tar.xz" ];
    hash = "sha256:9ae57e981c1e73c0eebc2b26c9b0c4497fe310ef1d516ea430efb5470b71f7a8";
  };

  style = "autotools";
  runtime = [ libc ];

  # The archive was repacked without its manual, but `configure` and `make install` expect the directory.
  phases.beforeConfigure = "stub_makefile_in doc";

  # Its tests are one script, which has a flag of its own for jobs.
  phases.check = ''run_make check TESTSUITEFLAGS="-j$LARDER_JOBS"'';

  tests =
    if libc.pname == "musl" then
      {
        policy = "off";
        reason = "sparse05 fills the disk: 10 GB of its sparse file were there when it was stopped";
      }
    else
      { policy = "on"; };

  verify = [
    "usr/bin/tar"
  ];

  meta = {
    description = "Archives in the tar format";
    homepage = "https://www.gnu.org/software/tar/";
    licence = "GPL-3.0-or-later";
  };
}
