//! The evaluator of the Nix expression language.
//!
//! A text is parsed ([`syntax`]), compiled to code in which every variable is a slot, and evaluated lazily on a thread
//! with a deep stack. Start at [`Session`]. Everything the evaluator asks of the outside goes through [`EvalIo`].
//!
//! Invariants: no file, clock, environment or randomness is reached but through [`EvalIo`] and [`Settings`]; bad input
//! gives a [`Diagnostic`], never a panic; results do not depend on the order in which names were interned.
//!
//! Memory that evaluation makes is never freed: a run ends before collecting garbage pays. `unsafe` code is in the
//! modules `arena`, `env`, `growing`, `outcome`, `short` and `thunk`, and where `evaluate` gives environments back.

#![deny(unsafe_code)]

pub mod analysis;
pub mod arena;
pub mod attrs;
pub mod builtins;
mod code;
mod compile;
pub mod context;
mod core_files;
pub mod diagnostic;
mod env;
pub mod evaluate;
pub mod format;
mod growing;
pub mod interactive;
pub mod interface;
pub mod io;
pub mod lint;
mod list;
mod locate;
mod members;
pub mod near;
mod outcome;
pub mod paths;
pub mod print;
pub mod reads;
pub mod remembered;
pub mod selection;
pub mod session;
pub mod settings;
mod short;
pub mod source;
pub mod symbol;
pub mod syntax;
mod text;
mod thunk;
pub mod value;
pub mod yaml;

pub use diagnostic::{Activity, Code, Diagnostic, Explanation, Frame, RenderOptions, Severity, render, to_json};
pub use evaluate::Evaluator;
pub use interactive::Variables;
pub use interface::{Argument, Arguments, DerivationRef};
pub use io::{EvalIo, FileType, FilterError, GoesOn, IoError, IsWanted, MemoryIo};
pub use members::Member;
pub use print::pretty::Layout;
pub use reads::{Question, Read, ReadNode, Reads};
pub use remembered::{Known, Remembered};
pub use session::{Failure, Session};
pub use settings::{Impure, Settings};
pub use source::{Origin, Sources, Span};
pub use value::Value;
