//! Syntax: from bytes to a tree. The grammar is Nix's; [`parser`] states it.

pub mod ast;
mod attr_set;
mod indented;
mod lexer;
mod parser;
mod strings;

pub(crate) use lexer::{is_identifier, is_keyword};
pub use parser::{ParseOptions, parse};
