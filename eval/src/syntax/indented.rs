//! Indented strings: how the common indentation of `''…''` is taken away.
//!
//! The rules are Nix's. The indentation is the least number of leading spaces of all lines that have anything else, and
//! only spaces count. What an escape or an interpolation gives counts as something else, wherever it stands. A last line
//! of spaces only is dropped.

use super::ast::{Expr, Part};

/// A piece of an indented string as it was scanned.
#[derive(Debug)]
pub(super) enum Piece {
    /// Text as it is written: its leading spaces are indentation.
    Plain(Vec<u8>),
    /// Text that an escape gave.
    Escaped(Vec<u8>),
    /// An interpolation.
    Expr(Expr),
}

/// Takes the indentation away and joins neighbouring text.
pub(super) fn strip(pieces: Vec<Piece>) -> Vec<Part> {
    let indentation = least_indentation(&pieces);
    let mut parts = Vec::new();
    let mut stripper = Stripper { indentation, at_start: true, dropped: 0 };
    let last = pieces.len().wrapping_sub(1);
    for (index, piece) in pieces.into_iter().enumerate() {
        match piece {
            Piece::Expr(expr) => {
                stripper.content();
                parts.push(Part::Expr(expr));
            }
            Piece::Plain(text) | Piece::Escaped(text) => {
                let mut text = stripper.text(&text);
                if index == last {
                    drop_blank_last_line(&mut text);
                }
                super::strings::push_text(&mut parts, text);
            }
        }
    }
    parts
}

fn least_indentation(pieces: &[Piece]) -> usize {
    let mut least = usize::MAX;
    let mut current = Some(0);
    for piece in pieces {
        let text: &[u8] = match piece {
            Piece::Plain(text) => text,
            Piece::Escaped(_) | Piece::Expr(_) => b"x",
        };
        for byte in text {
            current = match (current, byte) {
                (Some(spaces), b' ') => Some(spaces + 1),
                (_, b'\n') => Some(0),
                (Some(spaces), _) => {
                    least = least.min(spaces);
                    None
                }
                (None, _) => None,
            };
        }
    }
    least
}

struct Stripper {
    indentation: usize,
    at_start: bool,
    dropped: usize,
}

impl Stripper {
    fn content(&mut self) {
        self.at_start = false;
        self.dropped = 0;
    }

    fn text(&mut self, text: &[u8]) -> Vec<u8> {
        let mut kept = Vec::with_capacity(text.len());
        for &byte in text {
            if self.at_start && byte == b' ' {
                self.dropped += 1;
                if self.dropped <= self.indentation {
                    continue;
                }
            } else if self.at_start && byte != b'\n' {
                self.content();
            } else if byte == b'\n' {
                self.at_start = true;
                self.dropped = 0;
            }
            kept.push(byte);
        }
        kept
    }
}

fn drop_blank_last_line(text: &mut Vec<u8>) {
    if let Some(end) = text.iter().rposition(|&byte| byte == b'\n')
        && text[end + 1..].iter().all(|&byte| byte == b' ')
    {
        text.truncate(end + 1);
    }
}
