//! The builtin functions: one table row each (name, arity, doc, function), in files by topic.
//!
//! A function is called with exactly as many arguments as its arity. Arguments may be thunks, except those that the row
//! says are forced before the call: such a row promises that forcing them, in order, is the first thing the function
//! does, so that a caller may evaluate them without making thunks.

mod arithmetic;
mod attributes;
mod closure;
mod contexts;
mod control;
mod derivations;
mod examples;
mod fetch;
mod files;
mod from_json;
mod hashes;
mod lists;
mod nar;
mod regex;
mod replace;
mod strings;
mod toml;
mod types;
mod versions;
mod yaml;

use crate::arena::{Arena, Budget};
use crate::attrs::{Attr, Attrs};
use crate::compile::Globals;
use crate::diagnostic::{Code, Diagnostic, Result};
use crate::evaluate::Evaluator;
use crate::settings::Settings;
use crate::source::{Pos, Span};
use crate::symbol::{Symbols, names};
use crate::thunk::Thunk;
use crate::value::{List, Text, Value};
use std::fmt;

pub use examples::EXAMPLES;
pub(crate) use files::find_file;
pub(crate) use regex::Pattern;

/// What runs when a builtin function is called.
pub type Run = fn(&Evaluator<'_>, &[Value], Span) -> Result<Value>;

/// A builtin function.
pub struct Builtin {
    /// Its name in `builtins`.
    pub name: &'static str,
    /// How many arguments it takes; 1 to 4.
    pub arity: u8,
    /// Which arguments it forces before it does anything else: bit 0 is the first.
    pub forces: u8,
    /// What it does, in a line.
    pub doc: &'static str,
    pub(crate) run: Run,
}

impl fmt::Debug for Builtin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "builtins.{}", self.name)
    }
}

/// A row of the table whose arguments are all delayed.
const fn row(name: &'static str, arity: u8, doc: &'static str, run: Run) -> Builtin {
    Builtin { name, arity, forces: 0, doc, run }
}

impl Builtin {
    /// Says which arguments are forced first.
    const fn forcing(mut self, forces: u8) -> Self {
        self.forces = forces;
        self
    }
}

const TABLES: &[&[Builtin]] = &[
    arithmetic::TABLE,
    attributes::TABLE,
    closure::TABLE,
    contexts::TABLE,
    control::TABLE,
    derivations::TABLE,
    fetch::TABLE,
    files::TABLE,
    from_json::TABLE,
    hashes::TABLE,
    lists::TABLE,
    regex::TABLE,
    replace::TABLE,
    strings::TABLE,
    toml::TABLE,
    types::TABLE,
    versions::TABLE,
    yaml::TABLE,
];

/// Functions of Nix that larder does not have, and why.
pub const UNAVAILABLE: &[(&str, &str)] = &[
    ("exec", "it runs programs during evaluation"),
    ("fetchClosure", "it copies from a Nix store"),
    ("fetchGit", "it needs the network without a hash; fetch an archive with `fetchTarball`"),
    ("fetchMercurial", "it needs the network without a hash; fetch an archive with `fetchTarball`"),
    ("fetchTree", "it needs the network without a hash, and belongs to flakes; use `fetchurl` or `fetchTarball`"),
    ("flakeRefToString", "it belongs to flakes"),
    ("getFlake", "it belongs to flakes"),
    ("importNative", "it loads machine code into the evaluator"),
    ("outputOf", "it belongs to derivations that make derivations"),
    ("parseFlakeRef", "it belongs to flakes"),
];

/// The error for a function of Nix that larder does not have, if the name is that of one.
#[cold]
pub(crate) fn unavailable(name: &str, span: Span) -> Option<Box<Diagnostic>> {
    let (name, reason) = UNAVAILABLE.iter().find(|(known, _)| *known == name)?;
    let error = Diagnostic::new(Code::Unavailable, span, format!("`builtins.{name}` is not available in larder"));
    Some(error.label((*reason).to_owned()))
}

/// Names that are variables without `builtins.` before them.
const GLOBAL: &[&str] = &[
    "abort",
    "baseNameOf",
    "break",
    "derivation",
    "derivationStrict",
    "dirOf",
    "fetchTarball",
    "fromTOML",
    "import",
    "isNull",
    "map",
    "placeholder",
    "removeAttrs",
    "scopedImport",
    "throw",
    "toString",
];

/// Members of `builtins` that are not functions; those of impure evaluation are among them.
const CONSTANTS: &[&str] = &[
    "builtins",
    "currentSystem",
    "currentTime",
    "false",
    "langVersion",
    "nixPath",
    "nixVersion",
    "null",
    "storeDir",
    "true",
];

/// The builtin function or constant that a variable stands for when nothing around it defines it: its name in `builtins`.
#[must_use]
pub fn global(variable: &str) -> Option<&'static str> {
    let member = |name: &str| {
        let function = all().map(|builtin| builtin.name).find(|known| *known == name);
        function.or_else(|| CONSTANTS.iter().copied().find(|known| *known == name))
    };
    if GLOBAL.contains(&variable) || matches!(variable, "true" | "false" | "null" | "builtins") {
        return member(variable);
    }
    variable.strip_prefix("__").and_then(member)
}

/// The variables that are always there, apart from those that begin with `__`.
pub fn global_names() -> impl Iterator<Item = &'static str> {
    GLOBAL.iter().copied().chain(["true", "false", "null", "builtins"])
}

/// The names in `builtins`.
pub fn member_names() -> impl Iterator<Item = &'static str> {
    all().map(|builtin| builtin.name).chain(CONSTANTS.iter().copied())
}

/// All builtin functions.
pub fn all() -> impl Iterator<Item = &'static Builtin> {
    TABLES.iter().copied().flatten()
}

/// The base environment of a session.
pub(crate) fn globals(symbols: &Symbols, settings: &Settings) -> Globals {
    let bump = Arena::leak(Budget::new(usize::MAX));
    let mut globals = Globals::default();
    let mut members = Vec::new();
    for builtin in all() {
        members.push((builtin.name, Value::Builtin(builtin)));
        globals.insert(symbols.intern(format!("__{}", builtin.name).as_bytes()), Value::Builtin(builtin));
        if GLOBAL.contains(&builtin.name) {
            globals.insert(symbols.intern(builtin.name.as_bytes()), Value::Builtin(builtin));
        }
    }
    for (name, value) in constants(bump, settings) {
        members.push((name, value));
        if matches!(name, "true" | "false" | "null") {
            globals.insert(symbols.intern(name.as_bytes()), value);
        } else {
            globals.insert(symbols.intern(format!("__{name}").as_bytes()), value);
        }
    }
    // `builtins` contains itself: through a thunk that is done as soon as the set exists.
    let own: &'static Thunk = bump.alloc(Thunk::call(Value::Null, Value::Null));
    members.push(("builtins", Value::Thunk(own)));
    let attr = |(name, value): (&str, Value)| Attr { name: symbols.intern(name.as_bytes()), pos: Pos::NONE, value };
    let builtins = Value::Attrs(Attrs::from_unsorted(bump, members.into_iter().map(attr).collect()));
    own.claim(0, true);
    own.fulfil(builtins, crate::reads::Read::NONE, true);
    globals.insert(names::BUILTINS, builtins);
    globals
}

/// The members of `builtins` that are not functions.
fn constants(bump: &'static Arena, settings: &Settings) -> Vec<(&'static str, Value)> {
    let text = |text: &str| Value::String(Text::plain(bump, bump.alloc_slice_copy(text.as_bytes())));
    let mut constants = vec![
        ("true", Value::Bool(true)),
        ("false", Value::Bool(false)),
        ("null", Value::Null),
        ("currentSystem", text(&settings.system)),
        ("nixVersion", text("2.34.8")),
        ("langVersion", Value::Int(6)),
        ("storeDir", text(store::STORE_DIR)),
        ("nixPath", search_path(settings, bump)),
    ];
    if let Some(impure) = &settings.impure {
        constants.push(("currentTime", Value::Int(impure.current_time)));
    }
    constants
}

/// The search path as `builtins.findFile` takes it.
fn search_path(settings: &Settings, bump: &'static Arena) -> Value {
    if settings.search_path.is_empty() {
        return Value::List(crate::value::List::EMPTY);
    }
    let entry = |(prefix, path): &(Vec<u8>, Vec<u8>)| {
        let bytes = |bytes: &[u8]| Value::String(Text::plain(bump, bump.alloc_slice_copy(bytes)));
        let attrs = [(names::PREFIX, bytes(prefix)), (names::PATH, bytes(path))];
        let attr = |(name, value)| Attr { name, pos: Pos::NONE, value };
        Value::Attrs(Attrs::from_unsorted(bump, attrs.into_iter().map(attr).collect()))
    };
    let items: &'static [Value] = bump.alloc_slice_fill_iter(settings.search_path.iter().map(entry));
    Value::List(List::new(bump, items))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_sound() {
        let mut seen = std::collections::BTreeSet::new();
        for builtin in all() {
            assert!(builtin.doc.len() > 10, "{} has no doc", builtin.name);
            assert!((1..=4).contains(&builtin.arity), "{} has arity {}", builtin.name, builtin.arity);
            assert!(u32::from(builtin.forces) < 1 << builtin.arity, "{} forces what it does not take", builtin.name);
            assert!(seen.insert(builtin.name), "{} is there twice", builtin.name);
        }
    }
}
