//! The insides of strings and paths, read byte by byte up to the closing quote or the next interpolation.

use super::ast::Part;
use super::lexer::is_path_byte;

/// What ended a stretch of text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// The closing quote.
    Close,
    /// `${`
    Interpolate,
    /// The end of the file.
    End,
}

/// A stretch of text in a string.
#[derive(Debug)]
pub(super) struct Stretch {
    pub(super) text: Vec<u8>,
    /// Whether an escape gave it; only in indented strings.
    pub(super) escaped: bool,
    /// Why it ended; `None` in indented strings when only the kind of text changes.
    pub(super) stop: Option<Stop>,
    /// The offset behind it and behind what stopped it.
    pub(super) next: usize,
}

/// Adds text to the parts of a string, joining it to text before it.
pub(super) fn push_text(parts: &mut Vec<Part>, text: Vec<u8>) {
    match parts.last_mut() {
        _ if text.is_empty() => {}
        Some(Part::Text(before)) => before.extend(text),
        _ => parts.push(Part::Text(text)),
    }
}

/// Reads text inside `"…"`.
pub(super) fn quoted(source: &[u8], mut at: usize) -> Stretch {
    let mut text = Vec::new();
    loop {
        let stop = |text, stop, next| Stretch { text, escaped: false, stop: Some(stop), next };
        match &source[at..] {
            [] | [b'\\'] => return stop(text, Stop::End, source.len()),
            [b'"', ..] => return stop(text, Stop::Close, at + 1),
            [b'$', b'{', ..] => return stop(text, Stop::Interpolate, at + 2),
            [b'\\', byte, ..] => {
                text.push(unescape(*byte));
                at += 2;
            }
            // `$$` is two dollars even when a brace follows.
            [b'$', b'$', ..] => {
                text.extend_from_slice(b"$$");
                at += 2;
            }
            [b'\r', b'\n', ..] => at += 1,
            [b'\r', ..] => {
                text.push(b'\n');
                at += 1;
            }
            [byte, ..] => {
                text.push(*byte);
                at += 1;
            }
        }
    }
}

/// What a string means that is written in quotes, with these; `None` when something in it is computed.
pub(crate) fn literal_string(written: &[u8]) -> Option<Vec<u8>> {
    let stretch = quoted(written, 1);
    (stretch.stop == Some(Stop::Close) && stretch.next == written.len()).then_some(stretch.text)
}

fn unescape(byte: u8) -> u8 {
    match byte {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        other => other,
    }
}

/// Reads text inside `''…''`, up to the next escape at most.
pub(super) fn indented(source: &[u8], mut at: usize) -> Stretch {
    let mut text = Vec::new();
    loop {
        let plain = |text, stop, next| Stretch { text, escaped: false, stop, next };
        let rest = &source[at..];
        match rest {
            [] => return plain(text, Some(Stop::End), source.len()),
            [b'$', b'{', ..] => return plain(text, Some(Stop::Interpolate), at + 2),
            [b'\'', b'\'', ..] if text.is_empty() => return quotes(rest, at),
            [b'\'', b'\'', ..] => return plain(text, None, at),
            [b'$', byte, ..] if *byte != b'\'' => {
                text.extend_from_slice(&[b'$', *byte]);
                at += 2;
            }
            [byte, ..] => {
                text.push(*byte);
                at += 1;
            }
        }
    }
}

/// Reads what starts with `''` inside an indented string: the end of it, or an escape.
fn quotes(rest: &[u8], at: usize) -> Stretch {
    let escaped = |text: &[u8], length| Stretch { text: text.to_vec(), escaped: true, stop: None, next: at + length };
    match rest {
        [_, _, b'$', ..] => escaped(b"$", 3),
        [_, _, b'\'', ..] => escaped(b"''", 3),
        [_, _, b'\\', byte, ..] => escaped(&[unescape(*byte)], 4),
        _ => Stretch { text: Vec::new(), escaped: false, stop: Some(Stop::Close), next: at + 2 },
    }
}

/// The offsets behind the escapes in the text of an indented string that give a line end.
pub(crate) fn escaped_newlines(text: &[u8]) -> Vec<usize> {
    let (mut found, mut at) = (Vec::new(), 0);
    while at < text.len() {
        let stretch = indented(text, at);
        at = stretch.next;
        if stretch.escaped && stretch.text == b"\n" {
            found.push(at);
        }
    }
    found
}

/// The length of path text that continues a path behind an interpolation.
pub(super) fn path_text(rest: &[u8]) -> usize {
    let mut length = 0;
    for (index, &byte) in rest.iter().enumerate() {
        let slash_before = index > 0 && rest[index - 1] == b'/';
        if !(is_path_byte(byte) || byte == b'/' && !slash_before) {
            break;
        }
        length = index + 1;
    }
    length
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_in_quoted_text() {
        let stretch = quoted(br#"a\n\"\$$${x}\${"x"#, 0);
        assert_eq!(stretch.text, b"a\n\"$$${x}${");
        assert_eq!(stretch.stop, Some(Stop::Close));
    }

    #[test]
    fn escapes_in_indented_text() {
        assert_eq!(indented(b"''${x", 0).text, b"$");
        assert_eq!(indented(b"'''x", 0).text, b"''");
        assert_eq!(indented(br"''\nx", 0).text, b"\n");
        assert_eq!(indented(b"a'b''", 0).text, b"a'b");
        assert_eq!(indented(b"$${x}''", 0).text, b"$${x}");
    }
}
