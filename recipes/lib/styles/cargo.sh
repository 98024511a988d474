# Style cargo: programs of a Rust workspace; crates come from `cargoLock`, and from nowhere else.
#
# shellcheck shell=bash disable=SC2154  # the variables come from phases.sh

default_configure() {
    mkdir -p .cargo "$HOME/.cargo"
    export CARGO_HOME=$HOME/.cargo CARGO_BUILD_JOBS=${LARDER_JOBS:-1}
    [[ -z $larder_crates ]] || cat >>.cargo/config.toml <<CONFIG
[source.crates-io]
replace-with = "larder"

[source.larder]
directory = "$larder_crates"
CONFIG
}

default_build() { cargo build --release --locked --offline "${configure_flags[@]}"; }
default_check() { cargo test --release --locked --offline "${configure_flags[@]}"; }

# Every program of the workspace.
default_install() {
    local program
    while IFS= read -r -d '' program; do
        install -D "$program" "$out/usr/bin/${program##*/}"
    done < <(find target/release -maxdepth 1 -type f -perm -u+x ! -name '*.so' ! -name '*.d' -print0)
}
