# What one does often. `just ci` is exactly what CI runs.

# Everything, as CI runs it
ci:
    ./run-tests

# Types and lints of what changed
check:
    cargo clippy --workspace --all-targets

# Tests that need no network
test:
    cargo test --workspace

# Many processes at one store, some of them killed, for five minutes
stress:
    LARDER_TEST_LONG=1 cargo test -p store --test runner -- --nocapture test_concurrency

# The long forms of the store's tests: every error at every effect, every power cut, a million entries, thousands of random histories
long:
    LARDER_TEST_LONG=1 cargo test -p store --test runner -- --nocapture

# Formatting and lints
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings

doc:
    cargo doc --workspace --no-deps --document-private-items

# Licences, banned crates and advisories (needs cargo-deny)
deny:
    cargo deny check

# Fuzz one decoder or the parser (needs cargo-fuzz and a nightly compiler)
fuzz target:
    cd fuzz && cargo +nightly fuzz run {{target}}

# Side by side with Nix (needs nix-bin)
bench:
    cargo build --release
    benches/builder/run

# The language side by side with Nix (needs nix-bin, time and python3; NIX_B names a second nix-instantiate)
bench-eval *arguments:
    cargo build --release
    benches/eval/run {{arguments}}

# The store side by side with Nix (needs nix-bin and python3; NIX_B names a second nix-store)
bench-store *arguments:
    cargo build --release
    cargo build --release -p store --examples
    benches/store/run {{arguments}}

# What an image costs, from its sources to the medium; builds it first, if need be
bench-system *arguments:
    cargo build --release
    benches/system/run {{arguments}}

# Every package that there is
packages:
    cargo run --release -- build recipes#phases.core --no-link

# The small image (or `just boot system`), started in an emulated machine whose serial line is this terminal; C-a x ends it
boot set="small":
    cargo run --release -- run recipes#{{set}}.machine

# All that is checked of the small image, its boot and the set's own compiler included
check-image set="small":
    cargo run --release -- build --no-link --keep-going $(printf 'recipes#{{set}}.checks.%s ' closure seedFreedom licences reproducible tampered boot rescue native)

# The whole system, from its own compiler on: an hour of two processors, and more when others use them
system:
    cargo run --release -- build recipes#images.iso

# All that is checked of the whole system: `just check-image system`, and that it can be installed
check-system: (check-image "system")
    cargo run --release -- build --no-link recipes#checks.install
