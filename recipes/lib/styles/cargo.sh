# Style cargo: programs of a Rust workspace; crates come from `cargoLock`, and from nowhere else.
#
# shellcheck shell=bash disable=SC2154  # the variables come from phases.sh

readonly musl_target=x86_64-unknown-linux-musl
release_directory=target/release

default_configure() {
    mkdir -p .cargo "$HOME/.cargo"
    export CARGO_HOME=$HOME/.cargo CARGO_BUILD_JOBS=${LARDER_JOBS:-1}
    [[ -z $larder_crates ]] || cat >>.cargo/config.toml <<CONFIG
[source.crates-io]
replace-with = "larder"

[source.larder]
directory = "$larder_crates"
CONFIG
    [[ $larder_triplet != *-musl ]] || compile_for_musl
}

# For the C library of the system. The standard library is compiled, too: of the compiler's makers, nothing is in what is built.
# It asks for a shared libgcc, for its unwinder; the static one of the C compiler has that.
compile_for_musl() {
    local unwinder
    unwinder=$("$CC" -print-file-name=libgcc_eh.a)
    [[ $unwinder == /* ]] || unwinder=$("$CC" -print-libgcc-file-name)
    mkdir -p "$HOME/lib"
    echo "INPUT($unwinder)" >"$HOME/lib/libgcc_s.so"
    # Cargo of a release compiles the standard library only if it is told that it may.
    export RUSTC_BOOTSTRAP=1
    cat >>.cargo/config.toml <<CONFIG
[build]
target = "$musl_target"

[target.$musl_target]
linker = "$CC"
rustflags = ["-Ctarget-feature=-crt-static", "-Clink-self-contained=no", "-Lnative=$HOME/lib"]

[unstable]
build-std = ["std"]
CONFIG
    release_directory=target/$musl_target/release
}

default_build() { run_cargo build; }
default_check() { run_cargo test; }

# It takes part in what all builds have together.
run_cargo() { MAKEFLAGS=$job_server cargo "$1" --release --locked --offline "${configure_flags[@]}"; }

# Every program of the workspace.
default_install() {
    local program
    while IFS= read -r -d '' program; do
        install -D "$program" "$out/usr/bin/${program##*/}"
    done < <(find "$release_directory" -maxdepth 1 -type f -perm -u+x ! -name '*.so' ! -name '*.d' -print0)
}
