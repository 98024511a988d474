{
  fetchCrate,
  libc,
  mkPackage,
  stdenv,
}:

mkPackage rec {
  pname = "fd";
  version = "10.3.0";
  source = fetchCrate {
    name = "fd-find";
    inherit version;
    checksum = "2fbf004b5bbdefab92e76237e2022c77842cdef5d3213fe09fd804e0474785db";
  };

  style = "cargo";
  cargoLock = ./Cargo.lock;
  pending =
    if stdenv.cxx then null else "it needs a compiler with an unwinder for its C library: `system.fd`";
  runtime = [ libc ];
  # Without a further allocator, written in C.
  configureFlags = [
    "--no-default-features"
    "--features=completions"
  ];

  tests = {
    policy = "off";
    reason = "only `system` compiles it, which runs no tests";
  };

  verify = [ "usr/bin/fd" ];

  meta = {
    description = "Finds files by name";
    homepage = "https://github.com/sharkdp/fd";
    licence = "MIT OR Apache-2.0";
  };
}
