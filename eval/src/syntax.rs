//! Syntax: from bytes to a tree. The grammar is Nix's; [`parser`] states it.

pub mod ast;
mod attr_set;
mod indented;
mod lexer;
mod parser;
mod strings;

pub(crate) use lexer::{Keyword, Token, is_identifier, is_keyword, lex};
pub use parser::{ParseOptions, parse};

/// The words that cannot be variables; `or` is none of them.
pub const KEYWORDS: &[&str] = &["assert", "else", "if", "in", "inherit", "let", "rec", "then", "with"];
