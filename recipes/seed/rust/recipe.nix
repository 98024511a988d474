# rustc and cargo as their makers publish them, for building with, and the source of the standard library, from which programs of
# the system are built. Nothing else of it may reach an image.
{
  compose,
  fetchSource,
  unpack,
}:

let
  # From 1.90 on, programs for the seed are linked by a linker of its own, which the seed's compiler has words for that it does not know.
  version = "1.89.0";
  host = "x86_64-unknown-linux-gnu";

  # An archive has a directory, in which each component has one.
  component =
    name: hash:
    unpack {
      name = "${name}-${version}";
      src = fetchSource {
        inherit name version;
        urls = [ "https://static.rust-lang.org/dist/${name}.tar.xz" ];
        hash = "sha256:${hash}";
      };
      stripComponents = 2;
      exclude = [
        "bin/rust-gdb"
        "bin/rust-gdbgui"
        "bin/rust-lldb"
        "bin/rustdoc"
        "etc"
        "manifest.in"
        "share"
      ];
      rename = {
        bin = "usr/bin";
        lib = "usr/lib";
        libexec = "usr/libexec";
      };
    };
in
compose {
  name = "rust";
  root = [
    (component "cargo-${version}-${host}" "99fc10be2aeedf2c23a484f217bfa76458494495a0eee33e280d3616bb08282d")
    (component "rust-src-${version}" "9e786f7687e187749b9d5c535baaf852c704eded4ab1b2350160f48397ffe46b")
    (component "rust-std-${version}-${host}" "2719470dcd78b3f97d78b978c8f85a1a58d84ff11b62558294621c01bca34d49")
    (component "rustc-${version}-${host}" "b42c254e1349df86bd40bc28fdf386172a1a46f2eeabe3c7a08a75cf1fb60e27")
  ];
}
// {
  pname = "rust";
  # The crates that the standard library is built with.
  libraryLock = ./library.lock;
  meta = {
    description = "Rust compiler and cargo, and the source of the standard library";
    licence = "MIT OR Apache-2.0";
  };
}
