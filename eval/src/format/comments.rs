//! Comments and empty lines, each attached to a token.
//!
//! What stands on the line of a token, behind it, is its trailing comment; all else leads the next token. Comments are
//! normalised: a block comment on one line becomes a line comment, others have their text indented evenly.

use super::Docs;
use super::doc::{Doc, HARD, LINE, Spacing, Text, TextKind};
use crate::syntax::Kind;
use crate::syntax::tree::{Element, Tree};
use rustc_hash::FxHashMap;

/// What stands before a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Trivium {
    EmptyLine,
    /// `#…`, with its sign.
    Line(Vec<u8>),
    /// The opening, `/*` or `/**`, and the lines of a block comment.
    Block(&'static str, Vec<Vec<u8>>),
    /// `/* sh */` before a string: it stays where it is.
    Annotation(Vec<u8>),
}

/// The comments of a text, by the offset at which their token starts.
#[derive(Debug, Default)]
pub(super) struct Comments {
    leading: FxHashMap<usize, Vec<Trivium>>,
    trailing: FxHashMap<usize, Vec<u8>>,
    /// What stands behind the last token.
    rest: Vec<Trivium>,
}

/// A piece of the text between two tokens.
enum Piece<'t> {
    Newlines(usize),
    Comment(Element<'t>),
}

impl Comments {
    pub(super) fn of(tree: &Tree) -> Self {
        let mut comments = Self::default();
        let mut before: Option<Element<'_>> = None;
        let mut pieces = Vec::new();
        for token in tree.tokens() {
            match token.kind() {
                Kind::Whitespace => {
                    let lines = token.text().iter().filter(|&&byte| byte == b'\n').count();
                    if lines > 0 {
                        pieces.push(Piece::Newlines(lines));
                    }
                }
                Kind::LineComment | Kind::BlockComment => pieces.push(Piece::Comment(token)),
                _ => {
                    comments.attach(before, &pieces, Some(token));
                    before = Some(token);
                    pieces.clear();
                }
            }
        }
        comments.attach(before, &pieces, None);
        comments
    }

    fn attach(&mut self, before: Option<Element<'_>>, pieces: &[Piece<'_>], next: Option<Element<'_>>) {
        let mut pieces = pieces;
        if let (Some(before), count) = (before, trailing_count(pieces, next))
            && count > 0
        {
            let texts = pieces[..count].iter().filter_map(|piece| match piece {
                Piece::Comment(comment) => Some(inner_text(*comment)),
                Piece::Newlines(_) => None,
            });
            let texts: Vec<_> = texts.filter(|text| !text.is_empty()).collect();
            if !texts.is_empty() {
                let mut text = b"#".to_vec();
                let is_line = matches!(pieces[0], Piece::Comment(comment) if comment.kind() == Kind::LineComment);
                if count > 1 || !is_line {
                    text.push(b' ');
                    text.extend(texts.iter().map(|text| text.trim_ascii()).collect::<Vec<_>>().join(&b' '));
                } else {
                    text.extend(&texts[0]);
                }
                self.trailing.insert(before.range().start, text);
            }
            pieces = &pieces[count..];
        }
        let is_first = before.is_none();
        let leading = leading(pieces, is_first, next);
        match next {
            Some(next) if !leading.is_empty() => drop(self.leading.insert(next.range().start, leading)),
            Some(_) => {}
            None => self.rest = leading,
        }
    }

    /// Whether no comment and no empty line is attached to a token.
    pub(super) fn is_alone(&self, token: Element<'_>) -> bool {
        let start = token.range().start;
        !self.leading.contains_key(&start) && !self.trailing.contains_key(&start)
    }

    pub(super) fn has_trailing(&self, token: Element<'_>) -> bool {
        self.trailing.contains_key(&token.range().start)
    }

    pub(super) fn has_leading(&self, token: Element<'_>) -> bool {
        !self.leading(token).is_empty()
    }

    pub(super) fn leading(&self, token: Element<'_>) -> &[Trivium] {
        self.leading.get(&token.range().start).map_or(&[], Vec::as_slice)
    }

    pub(super) fn take_leading(&mut self, token: Element<'_>) -> Vec<Trivium> {
        self.leading.remove(&token.range().start).unwrap_or_default()
    }

    pub(super) fn take_trailing(&mut self, token: Element<'_>) -> Option<Vec<u8>> {
        self.trailing.remove(&token.range().start)
    }

    /// Puts trivia before those that lead a token.
    pub(super) fn lead(&mut self, token: Element<'_>, mut trivia: Vec<Trivium>) {
        if trivia.is_empty() {
            return;
        }
        let leading = self.leading.entry(token.range().start).or_default();
        trivia.append(leading);
        *leading = trivia;
    }

    /// Gives a token a trailing comment.
    pub(super) fn trail(&mut self, token: Element<'_>, text: Vec<u8>) {
        self.trailing.insert(token.range().start, text);
    }

    /// Makes the trailing comment of a token one that leads another.
    pub(super) fn move_down(&mut self, from: Element<'_>, to: Element<'_>) {
        if let Some(text) = self.take_trailing(from) {
            self.lead(to, vec![Trivium::Line(text)]);
        }
    }

    /// What stands behind the last token.
    pub(super) fn rest(&mut self, level: u32) -> Docs {
        let rest = std::mem::take(&mut self.rest);
        print_leading(&rest, level)
    }
}

/// How many of the pieces are comments that trail the token before them.
fn trailing_count(pieces: &[Piece<'_>], next: Option<Element<'_>>) -> usize {
    let is_trailing = |piece: &Piece<'_>| match piece {
        Piece::Comment(comment) => comment.kind() == Kind::LineComment || is_on_one_line(*comment),
        Piece::Newlines(_) => false,
    };
    let count = pieces.iter().take_while(|piece| is_trailing(piece)).count();
    if count == pieces.len() && count > 0 && is_annotation(pieces, next) {
        return count - 1;
    }
    // A comment that goes on below, or stands in the column of what follows, belongs to that.
    if let ([Piece::Comment(comment), Piece::Newlines(1)], Some(next)) = (pieces, next)
        && column(*comment) == column(next)
    {
        return 0;
    }
    if let [Piece::Comment(first), Piece::Newlines(1), Piece::Comment(second), ..] = pieces
        && second.kind() == Kind::LineComment
        && column(*first) == column(*second)
    {
        return 0;
    }
    count
}

/// Whether the last piece says what language the string behind it is in.
fn is_annotation(pieces: &[Piece<'_>], next: Option<Element<'_>>) -> bool {
    let is_string = next.is_some_and(|next| matches!(next.kind(), Kind::Quote | Kind::IndentedQuote));
    matches!(pieces.last(), Some(Piece::Comment(comment)) if is_string && comment.kind() == Kind::BlockComment
        && is_on_one_line(*comment) && !comment.text().starts_with(b"/**"))
}

fn is_on_one_line(comment: Element<'_>) -> bool {
    let text = comment.text();
    !text.contains(&b'\n') && (!text.starts_with(b"/**") || text == b"/**/")
}

fn column(element: Element<'_>) -> usize {
    let start = element.range().start;
    let text = &element.tree().text()[..start];
    start - text.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1)
}

/// The text of a comment on one line, without its signs.
fn inner_text(comment: Element<'_>) -> Vec<u8> {
    let text = comment.text();
    match comment.kind() {
        Kind::LineComment => text[1..].trim_ascii_end().to_vec(),
        _ => text[2..text.len() - 2].trim_ascii().to_vec(),
    }
}

fn leading(pieces: &[Piece<'_>], is_first: bool, next: Option<Element<'_>>) -> Vec<Trivium> {
    let mut trivia = Vec::new();
    let annotation = is_annotation(pieces, next);
    for (index, piece) in pieces.iter().enumerate() {
        match piece {
            Piece::Newlines(1) => {}
            Piece::Newlines(_) if is_first && index == 0 || trivia.last() == Some(&Trivium::EmptyLine) => {}
            Piece::Newlines(_) => trivia.push(Trivium::EmptyLine),
            Piece::Comment(comment) if annotation && index + 1 == pieces.len() => {
                let text = [b"/* ", inner_text(*comment).as_slice(), b" */"].concat();
                trivia.push(Trivium::Annotation(text));
            }
            Piece::Comment(comment) => trivia.extend(trivium(*comment)),
        }
    }
    trivia
}

fn trivium(comment: Element<'_>) -> Option<Trivium> {
    if comment.kind() == Kind::LineComment {
        let text = inner_text(comment);
        return Some(Trivium::Line([b"#", text.as_slice()].concat()));
    }
    let text = comment.text();
    let is_doc = text.starts_with(b"/**") && text != b"/**/";
    let (open, inner) = if is_doc { ("/**", &text[3..text.len() - 2]) } else { ("/*", &text[2..text.len() - 2]) };
    let lines = even_lines(inner, || column(comment));
    match lines.as_slice() {
        [] => None,
        [line] if !is_doc => Some(Trivium::Line([b"# ", line.as_slice()].concat())),
        _ => Some(Trivium::Block(open, lines)),
    }
}

/// The lines of a block comment, with what indents all of them taken away.
fn even_lines(inner: &[u8], column: impl FnOnce() -> usize) -> Vec<Vec<u8>> {
    let mut lines: Vec<Vec<u8>> =
        inner.split(|&byte| byte == b'\n').map(|line| line.trim_ascii_end().to_vec()).collect();
    lines[0] = lines[0].trim_ascii_start().to_vec();
    if lines.len() > 1 {
        drop_stars(&mut lines, column());
    }
    let indentation = |line: &Vec<u8>| line.iter().take_while(|&&byte| byte == b' ').count();
    let common = lines.iter().skip(1).filter(|line| !line.is_empty()).map(indentation).min().unwrap_or(0);
    for line in lines.iter_mut().skip(1) {
        line.drain(..common.min(line.len()));
    }
    while lines.last().is_some_and(Vec::is_empty) {
        lines.pop();
    }
    let blank = lines.iter().take_while(|line| line.is_empty()).count();
    lines.drain(..blank);
    lines
}

/// Takes away the stars that begin each line of some block comments.
fn drop_stars(lines: &mut [Vec<u8>], column: usize) {
    let count = lines.len();
    let is_last_blank = |index: usize, line: &Vec<u8>| index + 1 == count && line.is_empty();
    let has_star = |line: &[u8]| {
        let spaces = line.iter().take_while(|&&byte| byte == b' ').count();
        spaces == column + 1 && line.get(spaces) == Some(&b'*') && matches!(line.get(spaces + 1), None | Some(b' '))
    };
    let body = lines.iter().enumerate().skip(1);
    let mut starred = body.filter(|(index, line)| !is_last_blank(*index, line)).peekable();
    if starred.peek().is_none() || !starred.all(|(_, line)| has_star(line)) {
        return;
    }
    for line in lines.iter_mut().skip(1) {
        line.drain(..(column + 3).min(line.len()));
    }
}

/// What stands before a token, on lines of its own.
pub(super) fn print_leading(trivia: &[Trivium], level: u32) -> Docs {
    let mut docs = Docs::new();
    if !trivia.is_empty() && !matches!(trivia, [Trivium::Annotation(_)]) {
        docs.push(LINE);
    }
    let comment =
        |level, bytes: &[u8]| Doc::Text(Text { kind: TextKind::Comment, level, offset: 0, bytes: bytes.to_vec() });
    for trivium in trivia {
        match trivium {
            Trivium::EmptyLine => docs.push(Doc::Space(Spacing::EmptyLine)),
            Trivium::Line(text) => docs.extend([comment(level, text), LINE]),
            Trivium::Annotation(text) => docs.extend([comment(level, text), HARD]),
            Trivium::Block(open, lines) => {
                docs.extend([comment(level, open.as_bytes()), LINE]);
                for line in lines {
                    if !line.is_empty() {
                        docs.push(comment(level + 1, line));
                    }
                    docs.push(Doc::Space(Spacing::Newlines(1)));
                }
                docs.extend([comment(level, b"*/"), LINE]);
            }
        }
    }
    docs
}

/// A comment behind a token.
pub(super) fn print_trailing(text: Option<Vec<u8>>, level: u32) -> Docs {
    match text {
        Some(bytes) => {
            vec![HARD, Doc::Text(Text { kind: TextKind::TrailingComment, level, offset: 0, bytes }), LINE]
        }
        None => Docs::new(),
    }
}
