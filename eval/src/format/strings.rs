//! Strings and paths. Their text stays; the indentation of indented strings follows that of the program.

use super::comments::{print_leading, print_trailing};
use super::doc::{BREAK, Doc, Spacing, Text as DocText, TextKind, group, normalise, unbroken};
use super::expression::{first_token, is_term};
use super::function::last_token;
use super::{Docs, Formatter};
use crate::syntax::tree::Element;
use crate::syntax::typed::{Enclosed, Text};
use crate::syntax::{Kind, escaped_newlines};

/// Interpolations up to this width are never broken.
const SHORT_INTERPOLATION: usize = 30;

/// A piece of a line of a string.
#[derive(Debug, Clone)]
enum Piece<'t> {
    /// Text as it is written.
    Text(Vec<u8>),
    /// As many spaces as the line is indented by: behind a line end that an escape gave, so many are taken away.
    Indentation,
    Interpolation(Element<'t>),
}

type Line<'t> = Vec<Piece<'t>>;

impl<'t> Formatter<'t> {
    /// A string in quotes of either kind.
    pub(super) fn string(&mut self, string: Element<'t>) -> Docs {
        let (open, close) = (first_token(string), last_token(string));
        let mut docs = print_leading(&self.comments.take_leading(open), self.level);
        if string.kind() == Kind::IndentedString {
            docs.extend(self.indented_string(string));
        } else {
            docs.push(self.code(b"\""));
            docs.extend(self.pieces(Text(string).parts().map(piece)));
            docs.push(self.code(b"\""));
        }
        docs.extend(print_trailing(self.comments.take_trailing(close), self.level));
        docs
    }

    fn indented_string(&mut self, string: Element<'t>) -> Docs {
        let mut lines = lines_of(string);
        if lines.len() == 1
            && let Some(line) = in_plain_quotes(&lines[0])
        {
            let mut docs = vec![self.code(b"\"")];
            docs.extend(self.pieces(line.into_iter()));
            docs.push(self.code(b"\""));
            return docs;
        }
        let mut docs = vec![self.code(b"''")];
        if lines.len() == 1 {
            // It is not indented.
            let line = lines.remove(0).into_iter().filter(|piece| !matches!(piece, Piece::Indentation));
            docs.extend(self.pieces(line));
        } else {
            // In front of an empty line a break alone would be lost in the line ends.
            docs.push(if lines[0].is_empty() { Doc::Space(Spacing::Newlines(1)) } else { BREAK });
            docs.extend(self.nested(|formatter| {
                let mut docs = Docs::new();
                for (index, line) in lines.into_iter().enumerate() {
                    if index > 0 {
                        docs.push(Doc::Space(Spacing::Newlines(1)));
                    }
                    docs.extend(formatter.pieces(line.into_iter()));
                }
                docs
            }));
        }
        docs.push(self.code(b"''"));
        docs
    }

    fn pieces(&mut self, pieces: impl Iterator<Item = Piece<'t>>) -> Docs {
        let mut docs = Docs::new();
        for piece in pieces {
            match piece {
                Piece::Text(text) => docs.push(self.code(&text)),
                Piece::Indentation => docs.push(Doc::Text(DocText {
                    kind: TextKind::Indentation,
                    level: self.level,
                    offset: 0,
                    bytes: Vec::new(),
                })),
                Piece::Interpolation(interpolation) => docs.extend(self.interpolation(interpolation)),
            }
        }
        docs
    }

    /// A path. It has no white space outside its interpolations.
    pub(super) fn path(&mut self, path: Element<'t>) -> Docs {
        let (open, close) = (first_token(path), last_token(path));
        let mut docs = print_leading(&self.comments.take_leading(open), self.level);
        docs.extend(self.pieces(Text(path).parts().map(piece)));
        docs.extend(print_trailing(self.comments.take_trailing(close), self.level));
        docs
    }

    /// `${e}`
    pub(super) fn interpolation(&mut self, interpolation: Element<'t>) -> Docs {
        let open = first_token(interpolation);
        let close = last_token(interpolation);
        let Some(inner) = Enclosed(interpolation).inner() else { return self.joined(interpolation) };
        self.comments.move_down(open, first_token(inner));
        let in_path = interpolation.parent().is_some_and(|parent| parent.kind() == Kind::Path);
        let absorbable = is_term(inner) && self.is_absorbable_term(inner);
        let mut docs = print_leading(&self.comments.take_leading(open), self.level);
        docs.push(self.code(b"${"));
        let body = if absorbable {
            self.absorbed_term(inner, false)
        } else {
            let body = self.nested(|formatter| {
                let mut docs = formatter.expr(inner);
                docs.extend(formatter.comments_before_closing(close));
                docs
            });
            let body = normalise(body);
            let limit = if self.is_simple(inner) || in_path { None } else { Some(SHORT_INTERPOLATION) };
            match unbroken(&body, limit) {
                Some(flat) => flat,
                None => vec![BREAK, group(body), BREAK],
            }
        };
        let mut all = docs.split_off(docs.len() - 1);
        all.extend(body);
        all.extend(self.token(close));
        docs.push(group(all));
        docs
    }
}

fn piece(part: Element<'_>) -> Piece<'_> {
    match part.kind() {
        Kind::Interpolation => Piece::Interpolation(part),
        _ => Piece::Text(part.text().to_vec()),
    }
}

/// Whether an indented string has several lines.
pub(super) fn is_multi_line(string: Element<'_>) -> bool {
    lines_of(string).len() > 1
}

/// The lines of an indented string without their common indentation. A last line of spaces is empty.
fn lines_of(string: Element<'_>) -> Vec<Line<'_>> {
    let mut lines: Vec<Line<'_>> = vec![Line::new()];
    for part in Text(string).parts() {
        if part.kind() == Kind::Interpolation {
            lines.last_mut().expect("there is a line").push(Piece::Interpolation(part));
            continue;
        }
        for (index, text) in on_one_line(part.text()).split(|&byte| byte == b'\n').enumerate() {
            if index > 0 {
                lines.push(Line::new());
            }
            if !text.is_empty() {
                lines.last_mut().expect("there is a line").push(Piece::Text(text.to_vec()));
            }
        }
    }
    if lines.len() > 1 && is_blank(&lines[0]) {
        lines.remove(0);
    }
    if let Some(last) = lines.last_mut()
        && is_blank(last)
    {
        last.clear();
    }
    let common = lines.iter().filter(|line| !is_blank(line)).map(spaces).min().unwrap_or(usize::MAX);
    for line in &mut lines {
        take_spaces(line, common);
    }
    lines.into_iter().map(|line| line.into_iter().flat_map(|piece| behind_newlines(piece, common)).collect()).collect()
}

/// Text with `''\n` for an escape of a line end.
fn on_one_line(text: &[u8]) -> Vec<u8> {
    let mut text = text.to_vec();
    for end in escaped_newlines(&text) {
        text[end - 1] = b'n';
    }
    text
}

/// A piece in which, behind line ends that escapes give, the spaces are as they are behind the beginning of a line.
fn behind_newlines(piece: Piece<'_>, common: usize) -> Vec<Piece<'_>> {
    let Piece::Text(text) = piece else { return vec![piece] };
    let (mut pieces, mut at) = (Vec::new(), 0);
    for end in escaped_newlines(&text) {
        pieces.push(Piece::Text(text[at..end].to_vec()));
        let (spaces, length) = spaces_at(&text[end..]);
        at = end + length;
        if spaces > common {
            pieces.extend([Piece::Indentation, Piece::Text(vec![b' '; spaces - common])]);
        }
    }
    if at < text.len() {
        pieces.push(Piece::Text(text[at..].to_vec()));
    }
    pieces
}

/// How many spaces a text begins with, plain and by escapes, and their length.
fn spaces_at(text: &[u8]) -> (usize, usize) {
    let (mut spaces, mut at) = (0, 0);
    loop {
        at += match &text[at..] {
            [b' ', ..] => 1,
            [b'\'', b'\'', b'\\', b' ', ..] => 4,
            _ => return (spaces, at),
        };
        spaces += 1;
    }
}

fn is_blank(line: &Line<'_>) -> bool {
    line.iter().all(|piece| matches!(piece, Piece::Text(text) if text.iter().all(|&byte| byte == b' ')))
}

fn spaces(line: &Line<'_>) -> usize {
    match line.first() {
        Some(Piece::Text(text)) => text.iter().take_while(|&&byte| byte == b' ').count(),
        _ => 0,
    }
}

fn take_spaces(line: &mut Line<'_>, count: usize) {
    if let Some(Piece::Text(text)) = line.first_mut() {
        let found = text.iter().take_while(|&&byte| byte == b' ').count();
        text.drain(..count.min(found));
        if text.is_empty() {
            line.remove(0);
        }
    }
}

/// A line of an indented string as it is written in `"…"`; `None` if that would need more escapes.
fn in_plain_quotes<'t>(line: &Line<'t>) -> Option<Line<'t>> {
    line.iter()
        .map(|piece| match piece {
            Piece::Text(text) => plain_text(text).map(Piece::Text),
            Piece::Indentation | Piece::Interpolation(_) => Some(piece.clone()),
        })
        .collect()
}

fn plain_text(text: &[u8]) -> Option<Vec<u8>> {
    let mut plain = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        match &text[at..] {
            [b'"' | b'\\', ..] => return None,
            [b'\'', b'\'', b'$', ..] => {
                plain.extend_from_slice(b"\\$");
                at += 3;
            }
            [b'\'', b'\'', b'\'', ..] => {
                plain.extend_from_slice(b"''");
                at += 3;
            }
            [b'\'', b'\'', ..] => return None,
            _ => {
                plain.push(byte);
                at += 1;
            }
        }
    }
    Some(plain)
}
