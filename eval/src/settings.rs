//! What a session is told from outside, as data.

use std::collections::BTreeMap;

/// The settings of a session.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `builtins.currentSystem`, as `x86_64-linux`.
    pub system: String,
    /// The search path, for `<x>`: prefixes and paths.
    pub search_path: Vec<(Vec<u8>, Vec<u8>)>,
    /// What impure evaluation may see; `None` for pure evaluation.
    pub impure: Option<Impure>,
    /// How deeply function calls may nest; 10,000 as in Nix.
    pub max_call_depth: usize,
    /// Whether `|>` and `<|` are operators.
    pub pipe_operators: bool,
    /// Whether cheap parts may be evaluated before somebody wants them. That shows only where parts that are not evaluated
    /// are printed as such.
    pub ahead: bool,
    /// Whether evaluation may build derivations to read their outputs.
    pub import_from_derivation: bool,
    /// How many bytes of memory values may take; without a limit when `None`.
    pub max_memory: Option<usize>,
    /// How many threads evaluate; results are the same for any number.
    pub threads: usize,
    /// Whether it is recorded what values rest on: [`crate::Session::take_reads`].
    pub record_reads: bool,
    /// Whether `builtins.traceVerbose` shows its argument.
    pub trace_verbose: bool,
    /// Bytes of stack to reserve for evaluation. Only what is used takes memory.
    pub stack_bytes: usize,
}

/// What impure evaluation may see.
#[derive(Debug, Clone, Default)]
pub struct Impure {
    /// The environment, for `builtins.getEnv`.
    pub environment: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Seconds since 1970, for `builtins.currentTime`.
    pub current_time: i64,
    /// The home directory, for `~/x`.
    pub home: Option<Vec<u8>>,
}

impl Settings {
    /// Pure evaluation for a system.
    #[must_use]
    pub fn new(system: impl Into<String>) -> Self {
        Self {
            system: system.into(),
            search_path: Vec::new(),
            impure: None,
            max_call_depth: 10_000,
            pipe_operators: false,
            ahead: false,
            import_from_derivation: true,
            record_reads: false,
            max_memory: None,
            threads: 1,
            trace_verbose: false,
            stack_bytes: 1 << 30,
        }
    }
}
