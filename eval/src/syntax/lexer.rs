//! Tokens: one function from a place in the text to the token there.
//!
//! The lexer keeps no state: the parser asks for the token at an offset, and reads the insides of strings itself. The
//! first byte decides which recognisers are tried; where several match, the longest wins, as in Nix: `a-b` is a name,
//! `a/b` a path, `a:b` a URI.

use super::kind::Kind;
use nom::branch::alt;
use nom::bytes::complete::{tag, take_until, take_while, take_while_m_n, take_while1};
use nom::character::complete::{char, one_of};
use nom::combinator::{opt, recognize};
use nom::multi::many1_count;
use nom::sequence::preceded;
use nom::{IResult, Parser};

/// The kind of a token. Its text is what lies between its offsets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Token {
    End,
    Name,
    Int,
    Float,
    Path,
    /// The part of a path before an interpolation: ends in `/`.
    PathStart,
    SearchPath,
    Uri,
    /// `"`
    Quote,
    /// `''`
    IndentedQuote,
    /// `${`
    Interpolate,
    Keyword(Keyword),
    Symbol(&'static str),
    /// A byte that starts no token.
    Unknown,
    /// A comment without end.
    OpenComment,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keyword {
    If,
    Then,
    Else,
    Assert,
    With,
    Let,
    In,
    Rec,
    Inherit,
    Or,
}

/// A token with the offsets where it starts and ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lexeme {
    pub(crate) token: Token,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

type Input<'a> = &'a [u8];

/// The token at `offset` or behind the white space and comments there.
pub(crate) fn lex(text: &[u8], offset: usize) -> Lexeme {
    let (start, closed) = skip_blank(text, offset);
    if !closed {
        return Lexeme { token: Token::OpenComment, start, end: text.len() };
    }
    let rest = &text[start..];
    let (token, length) = match rest.first() {
        None => (Token::End, 0),
        Some(byte) => match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => word(rest),
            b'0'..=b'9' | b'.' | b'-' | b'+' | b'/' | b'~' => number_or_path(rest),
            b'<' => search_path(rest).map_or_else(|_| symbol(rest), |length| (Token::SearchPath, length)),
            b'"' => (Token::Quote, 1),
            b'\'' if rest.starts_with(b"''") => (Token::IndentedQuote, indented_opening(rest)),
            b'$' if rest.starts_with(b"${") => (Token::Interpolate, 2),
            _ => symbol(rest),
        },
    };
    Lexeme { token, start, end: start + length }
}

/// The first byte of the token at `offset` or behind the white space and comments there.
pub(crate) fn first_byte(text: &[u8], offset: usize) -> Option<u8> {
    let (start, closed) = skip_blank(text, offset);
    if closed { text.get(start).copied() } else { None }
}

/// Skips white space and comments; false when a comment has no end.
fn skip_blank(text: &[u8], mut offset: usize) -> (usize, bool) {
    loop {
        match &text[offset..] {
            [b' ' | b'\t' | b'\r' | b'\n', ..] => offset += 1,
            [b'#', rest @ ..] => offset += 1 + rest.iter().take_while(|&&byte| byte != b'\n' && byte != b'\r').count(),
            rest @ [b'/', b'*', ..] => match block_comment(rest) {
                Ok((left, _)) => offset = text.len() - left.len(),
                Err(_) => return (offset, false),
            },
            _ => return (offset, true),
        }
    }
}

/// The white space or comment that a text starts with. Of a text that starts with neither, [`Kind::Unknown`] and all.
pub(super) fn trivia(text: &[u8]) -> (Kind, usize) {
    match text {
        [b' ' | b'\t' | b'\r' | b'\n', ..] => {
            let blank = text.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n')).count();
            (Kind::Whitespace, blank)
        }
        [b'#', ..] => (Kind::LineComment, text.iter().take_while(|&&byte| byte != b'\n' && byte != b'\r').count()),
        _ => match block_comment(text) {
            Ok((_, comment)) => (Kind::BlockComment, comment.len()),
            Err(_) => (Kind::Unknown, text.len()),
        },
    }
}

fn block_comment(input: Input<'_>) -> IResult<Input<'_>, Input<'_>> {
    recognize((tag("/*"), take_until("*/"), tag("*/"))).parse(input)
}

/// A name or keyword, unless a path or URI starts here and is longer.
fn word(rest: &[u8]) -> (Token, usize) {
    let length = rest.iter().take_while(|&&byte| is_name_byte(byte)).count();
    match rest.get(length) {
        Some(b'/' | b'.' | b':' | b'+') if matches!(behind_path_bytes(rest), Some(b'/' | b':')) => {}
        _ => return (keyword(&rest[..length]), length),
    }
    let other =
        [(Token::Path, matched(path, rest)), (Token::PathStart, path_start(rest)), (Token::Uri, matched(uri, rest))];
    match other.into_iter().max_by_key(|(_, length)| *length) {
        Some((token, longest)) if longest > length => (token, longest),
        _ => (keyword(&rest[..length]), length),
    }
}

fn keyword(name: &[u8]) -> Token {
    Token::Keyword(match name {
        b"if" => Keyword::If,
        b"then" => Keyword::Then,
        b"else" => Keyword::Else,
        b"assert" => Keyword::Assert,
        b"with" => Keyword::With,
        b"let" => Keyword::Let,
        b"in" => Keyword::In,
        b"rec" => Keyword::Rec,
        b"inherit" => Keyword::Inherit,
        b"or" => Keyword::Or,
        _ => return Token::Name,
    })
}

/// A number, path or operator, whichever is longest.
fn number_or_path(rest: &[u8]) -> (Token, usize) {
    // Most are neither.
    if !matches!(rest, [b'0'..=b'9' | b'~', ..] | [b'.', b'0'..=b'9', ..]) && behind_path_bytes(rest) != Some(b'/') {
        return symbol(rest);
    }
    let candidates = [
        (Token::Int, rest.iter().take_while(|byte| byte.is_ascii_digit()).count()),
        (Token::Float, matched(float, rest)),
        (Token::Path, matched(path, rest).max(matched(home_path, rest))),
        (Token::PathStart, path_start(rest)),
    ];
    let (symbol, length) = symbol(rest);
    match candidates.into_iter().max_by_key(|(_, found)| *found) {
        // What stands in front of an interpolation counts with `${`.
        Some((token, found)) if found > length || matches!(token, Token::Int | Token::PathStart) && found == length => {
            (token, found)
        }
        _ => (symbol, length),
    }
}

/// The byte behind those that a segment of a path may have. Paths, and what looks like one, go on with `/`; URIs with `:`.
fn behind_path_bytes(rest: &[u8]) -> Option<u8> {
    rest.iter().take(MAX_SEGMENT + 1).copied().find(|byte| !is_path_byte(*byte))
}

fn matched(recogniser: impl Fn(Input<'_>) -> IResult<Input<'_>, Input<'_>>, rest: &[u8]) -> usize {
    recogniser(rest).map_or(0, |(_, found)| found.len())
}

/// `([1-9][0-9]*\.[0-9]*|0?\.[0-9]+)([Ee][+-]?[0-9]+)?`
fn float(input: Input<'_>) -> IResult<Input<'_>, Input<'_>> {
    let digits = || take_while(|byte: u8| byte.is_ascii_digit());
    let digits1 = || take_while1(|byte: u8| byte.is_ascii_digit());
    let whole = recognize((one_of("123456789"), digits(), char('.'), digits()));
    let fraction = recognize((opt(char('0')), char('.'), digits1()));
    let exponent = (one_of("eE"), opt(one_of("+-")), digits1());
    recognize((alt((whole, fraction)), opt(exponent))).parse(input)
}

/// The longest segment of a path: far beyond what file systems take. It bounds how far the lexer looks ahead at each
/// of many dashes in a row, say.
const MAX_SEGMENT: usize = 4096;

/// `[chars]*(/[chars]+)+/?`
fn path(input: Input<'_>) -> IResult<Input<'_>, Input<'_>> {
    let chars1 = || take_while1(is_path_byte);
    recognize((
        take_while_m_n(0, MAX_SEGMENT, is_path_byte),
        many1_count(preceded(char('/'), chars1())),
        opt(char('/')),
    ))
    .parse(input)
}

/// `~(/[chars]+)+/?`
fn home_path(input: Input<'_>) -> IResult<Input<'_>, Input<'_>> {
    recognize((char('~'), many1_count(preceded(char('/'), take_while1(is_path_byte))), opt(char('/')))).parse(input)
}

/// Length of `[chars]*/` or `~/` before an interpolation, or 0.
fn path_start(rest: &[u8]) -> usize {
    let head = rest.iter().take(MAX_SEGMENT).take_while(|&&byte| is_path_byte(byte)).count();
    let head = if rest.first() == Some(&b'~') { 1 } else { head };
    if rest[head..].starts_with(b"/${") { head + 1 } else { 0 }
}

/// `<[chars]+(/[chars]+)*>`
fn search_path(rest: &[u8]) -> Result<usize, nom::Err<nom::error::Error<Input<'_>>>> {
    let chars1 = || take_while1(is_path_byte);
    let rests = nom::multi::many0_count(preceded(char('/'), chars1()));
    let (_, found) = recognize((char('<'), chars1(), rests, char('>'))).parse(rest)?;
    Ok(found.len())
}

/// `[a-zA-Z][a-zA-Z0-9+.-]*:[…]+`
fn uri(input: Input<'_>) -> IResult<Input<'_>, Input<'_>> {
    // Bounded as segments are: `a.a.a.…` is looked at again at each of its names.
    let scheme = take_while_m_n(0, MAX_SEGMENT, |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    let rest = take_while1(|byte: u8| byte.is_ascii_alphanumeric() || b"%/?:@&=+$,-_.!~*'".contains(&byte));
    recognize((take_while_m_n(1, 1, |byte: u8| byte.is_ascii_alphabetic()), scheme, char(':'), rest)).parse(input)
}

/// The length of `''` with the spaces and the line end that belong to it.
fn indented_opening(rest: &[u8]) -> usize {
    let spaces = rest[2..].iter().take_while(|&&byte| byte == b' ').count();
    if rest.get(2 + spaces) == Some(&b'\n') { 3 + spaces } else { 2 }
}

const SYMBOLS: &[&str] = &[
    "...", "==", "!=", "<=", ">=", "&&", "||", "->", "//", "++", "<|", "|>", "{", "}", "(", ")", "[", "]", ";", ":",
    ",", "@", "=", ".", "?", "!", "+", "-", "*", "/", "<", ">",
];

fn symbol(rest: &[u8]) -> (Token, usize) {
    let begins = |symbol: &&&str| symbol.as_bytes().first() == rest.first() && rest.starts_with(symbol.as_bytes());
    let found = SYMBOLS.iter().find(begins);
    found.map_or_else(|| (Token::Unknown, character_length(rest)), |symbol| (Token::Symbol(symbol), symbol.len()))
}

/// The length of the character that a text starts with; of what is not UTF-8, one byte.
fn character_length(rest: &[u8]) -> usize {
    let first = rest[..rest.len().min(4)].utf8_chunks().next();
    first.and_then(|chunk| chunk.valid().chars().next()).map_or(1, char::len_utf8)
}

pub(crate) const fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'\'' | b'-')
}

pub(crate) const fn is_path_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b'+')
}

/// Whether a text has the form of a name (keywords have it too).
pub(crate) fn is_identifier(text: &[u8]) -> bool {
    let starts = text.first().is_some_and(|byte| byte.is_ascii_alphabetic() || *byte == b'_');
    starts && text.iter().all(|&byte| is_name_byte(byte))
}

/// Whether a text is a reserved word.
pub(crate) fn is_keyword(text: &[u8]) -> bool {
    !matches!(keyword(text), Token::Name | Token::Keyword(Keyword::Or))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(text: &str) -> Vec<(Token, &str)> {
        let mut found = Vec::new();
        let mut at = 0;
        loop {
            let lexeme = lex(text.as_bytes(), at);
            if lexeme.token == Token::End {
                return found;
            }
            found.push((lexeme.token, &text[lexeme.start..lexeme.end]));
            at = lexeme.end;
        }
    }

    #[test]
    fn the_longest_match_wins() {
        use Token::*;
        for (text, expected) in [
            ("a-b", vec![(Name, "a-b")]),
            ("a/b", vec![(Path, "a/b")]),
            ("a:b", vec![(Uri, "a:b")]),
            ("a: b", vec![(Name, "a"), (Symbol(":"), ":"), (Name, "b")]),
            ("a.b/c", vec![(Path, "a.b/c")]),
            ("a.b.c", vec![(Name, "a"), (Symbol("."), "."), (Name, "b"), (Symbol("."), "."), (Name, "c")]),
            ("a//b", vec![(Name, "a"), (Symbol("//"), "//"), (Name, "b")]),
            ("1/2", vec![(Path, "1/2")]),
            ("1 / 2", vec![(Int, "1"), (Symbol("/"), "/"), (Int, "2")]),
            ("1.5e3", vec![(Float, "1.5e3")]),
            (".5", vec![(Float, ".5")]),
            ("1.", vec![(Float, "1.")]),
            ("-1", vec![(Symbol("-"), "-"), (Int, "1")]),
            ("...", vec![(Symbol("..."), "...")]),
            ("./a ../b", vec![(Path, "./a"), (Path, "../b")]),
            ("./${x}", vec![(PathStart, "./"), (Interpolate, "${"), (Name, "x"), (Symbol("}"), "}")]),
            ("/${x}", vec![(PathStart, "/"), (Interpolate, "${"), (Name, "x"), (Symbol("}"), "}")]),
            ("a /${x}", vec![(Name, "a"), (PathStart, "/"), (Interpolate, "${"), (Name, "x"), (Symbol("}"), "}")]),
            ("~/a", vec![(Path, "~/a")]),
            ("<a/b>", vec![(SearchPath, "<a/b>")]),
            ("a<b", vec![(Name, "a"), (Symbol("<"), "<"), (Name, "b")]),
            ("a++b", vec![(Name, "a"), (Symbol("++"), "++"), (Name, "b")]),
            ("a->b", vec![(Name, "a-"), (Symbol(">"), ">"), (Name, "b")]),
            ("x # c\n/* d */ y", vec![(Name, "x"), (Name, "y")]),
            ("/* open", vec![(OpenComment, "/* open")]),
        ] {
            assert_eq!(tokens(text), expected, "{text}");
        }
    }
}
