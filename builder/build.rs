//! Compiles the object that varies the time of day inside a sandbox; see `src/sandbox/clock.c`.

use std::path::PathBuf;

fn main() {
    let source = "src/sandbox/clock.c";
    println!("cargo::rerun-if-changed={source}");
    let directory = std::env::var_os("OUT_DIR").expect("cargo sets it for build scripts");
    let output = PathBuf::from(directory).join("clock.so");
    let compiler = cc::Build::new().opt_level(2).debug(false).get_compiler();
    let status = compiler
        .to_command()
        .args(["-shared", "-fPIC", "-nostdlib", "-ffreestanding", "-fno-builtin", "-fno-stack-protector"])
        .args(["-fvisibility=hidden", "-Wl,--hash-style=both", "-Wl,--build-id=none", "-s", "-o"])
        .arg(&output)
        .arg(source)
        .status()
        .expect("the C compiler that other crates need too can be run");
    assert!(status.success(), "{source} does not compile");
}
