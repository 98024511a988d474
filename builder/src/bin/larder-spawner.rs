//! The spawner as a program of its own, for this crate's tests and benchmarks; larder runs it as a hidden subcommand.

fn main() {
    builder::spawner::main()
}
