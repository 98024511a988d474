//! Syntax: from bytes to a tree. The grammar is Nix's; [`parser`] states it.
//!
//! One parser makes two trees. Evaluation takes [`ast`]: names are symbols, strings are unescaped, comments and white space
//! are gone. Tools take [`Parsed`]: a [`tree`] in which every byte of the text is found again, of broken texts, too.

pub mod ast;
mod attr_set;
mod indented;
mod kind;
mod lexer;
mod parsed;
mod parser;
mod record;
mod strings;
pub mod tree;
pub mod typed;

pub use kind::Kind;
pub(crate) use lexer::{Keyword, Token, is_identifier, is_keyword, is_name_byte, is_path_byte, lex};
pub use parsed::{Parsed, parse_named, parse_tree};
pub(crate) use parser::Openings;
pub use parser::{ParseOptions, parse};
pub(crate) use strings::{escaped_newlines, literal_string};

/// The words that cannot be variables; `or` is none of them.
pub const KEYWORDS: &[&str] = &["assert", "else", "if", "in", "inherit", "let", "rec", "then", "with"];
