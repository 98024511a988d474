# Lets programs of the system run in builds whose root is the seed: their loader, and where it finds libraries.
{ write }:

write {
  name = "sysroot-loader";
  entries = {
    "usr/lib/ld-musl-x86_64.so.1".symlink = "../../sysroot/usr/lib/libc.so";
    "etc/ld-musl-x86_64.path".text = "/sysroot/usr/lib\n";
  };
}
