//! `match` and `split`: POSIX extended regular expressions, on the `regex` crate.
//!
//! The syntax is translated: brackets as POSIX reads them, and whatever POSIX does not know is refused. Matching is
//! linear in the text, whatever the expression. One difference from POSIX remains: where alternatives match different
//! lengths, the first one wins instead of the longest; `match` looks at whole strings, so it differs at most in groups.

use super::{Builtin, row};
use crate::diagnostic::{Code, Diagnostic, Result};
use crate::evaluate::Evaluator;
use crate::source::Span;
use crate::value::{Text, Value};
use regex::bytes::{Captures, Regex, RegexBuilder};

pub(super) const TABLE: &[Builtin] = &[
    row("match", 2, "The groups of a regular expression that matches a whole string, or null.", whole_match),
    row("split", 2, "The texts between the matches of a regular expression, and lists of its groups.", split),
];

/// Translates an expression; `None` when it is malformed.
fn translate(pattern: &str) -> Option<String> {
    let mut out = String::with_capacity(pattern.len() + 8);
    let mut rest = pattern.chars().peekable();
    while let Some(character) = rest.next() {
        match character {
            '[' => translate_bracket(&mut rest, &mut out)?,
            '\\' => match rest.next()? {
                escaped if escaped.is_ascii_punctuation() => out.extend(['\\', escaped]),
                _ => return None,
            },
            '(' if rest.peek() == Some(&'?') => return None,
            '{' if !rest.peek().is_some_and(char::is_ascii_digit) => return None,
            '*' | '+' | '?' | '}' => {
                out.push(character);
                // A second operator repeats the repetition; it is not the `regex` crate's laziness.
                while let Some(next @ ('*' | '+' | '?')) = rest.peek().copied() {
                    rest.next();
                    out.insert_str(repeated_start(&out), "(?:");
                    out.push(')');
                    out.push(next);
                }
            }
            other => out.push(other),
        }
    }
    Some(out)
}

/// Where the atom that the last operator repeats begins.
fn repeated_start(out: &str) -> usize {
    let body = out.trim_end_matches(['*', '+', '?']);
    match body.chars().next_back() {
        Some(')') => matching_parenthesis(body),
        Some(character) => body.len() - character.len_utf8(),
        None => 0,
    }
}

fn matching_parenthesis(body: &str) -> usize {
    let mut depth = 0;
    for (at, byte) in body.bytes().enumerate().rev() {
        depth += i32::from(byte == b')') - i32::from(byte == b'(');
        if depth == 0 {
            return at;
        }
    }
    0
}

/// Translates `[…]`: a backslash is itself there, and a `]` in the first place too.
fn translate_bracket(rest: &mut std::iter::Peekable<std::str::Chars<'_>>, out: &mut String) -> Option<()> {
    out.push('[');
    if rest.peek() == Some(&'^') {
        out.push('^');
        rest.next();
    }
    let mut first = true;
    loop {
        match rest.next()? {
            ']' if !first => {
                out.push(']');
                return Some(());
            }
            '[' if rest.peek() == Some(&':') => {
                let class: String = rest.by_ref().take_while(|character| *character != ']').collect();
                out.push_str(&format!("[{class}]"));
            }
            '-' => out.push(if first || rest.peek() == Some(&']') { '\u{1}' } else { '-' }),
            character @ (']' | '[' | '\\' | '&' | '~' | '^') => out.extend(['\\', character]),
            character => out.push(character),
        }
        if out.ends_with('\u{1}') {
            out.pop();
            out.push_str("\\-");
        }
        first = false;
    }
}

/// The compiled form of an expression, kept for the evaluator's life.
pub(super) fn compile(evaluator: &Evaluator<'_>, pattern: &Text, span: Span) -> Result<Regex> {
    if let Some(regex) = evaluator.regexes().get(pattern.bytes) {
        return Ok(regex.clone());
    }
    let text = String::from_utf8_lossy(pattern.bytes);
    let regex = translate(&text)
        .and_then(|translated| RegexBuilder::new(&translated).unicode(false).dot_matches_new_line(true).build().ok())
        .ok_or_else(|| Diagnostic::new(Code::BadArgument, span, format!("invalid regular expression `{text}`")))?;
    evaluator.regexes().insert(pattern.bytes.to_vec(), regex.clone());
    Ok(regex)
}

fn arguments(evaluator: &Evaluator<'_>, args: &[Value], span: Span, of: &str) -> Result<(Regex, &'static Text)> {
    let pattern = evaluator.expect_plain_string(args[0], span, &format!("as the expression given to `{of}`"))?;
    let regex = compile(evaluator, pattern, span)?;
    Ok((regex, evaluator.expect_string(args[1], span, &format!("as the string given to `{of}`"))?))
}

fn groups(evaluator: &Evaluator<'_>, captures: &Captures<'_>) -> Value {
    let groups =
        captures.iter().skip(1).map(|group| group.map_or(Value::Null, |group| evaluator.string(group.as_bytes())));
    evaluator.list(&groups.collect::<Vec<_>>())
}

fn whole_match(evaluator: &Evaluator<'_>, args: &[Value], span: Span) -> Result<Value> {
    let pattern = evaluator.expect_plain_string(args[0], span, "as the expression given to `match`")?;
    compile(evaluator, pattern, span)?;
    // The whole string must match: anchors around a group keep the alternatives together.
    let anchored =
        Text { bytes: evaluator.bump().alloc_slice_copy(&[b"^(", pattern.bytes, b")$"].concat()), context: None };
    let regex = compile(evaluator, &anchored, span)?;
    let text = evaluator.expect_string(args[1], span, "as the string given to `match`")?;
    Ok(match regex.captures(text.bytes) {
        None => Value::Null,
        Some(captures) => {
            let groups = captures.iter().skip(2);
            let groups = groups.map(|group| group.map_or(Value::Null, |group| evaluator.string(group.as_bytes())));
            evaluator.list(&groups.collect::<Vec<_>>())
        }
    })
}

fn split(evaluator: &Evaluator<'_>, args: &[Value], span: Span) -> Result<Value> {
    let (regex, text) = arguments(evaluator, args, span, "split")?;
    let piece = |from: usize, to: usize| evaluator.string_with(&text.bytes[from..to], text.context);
    let mut parts = Vec::new();
    let mut behind = 0;
    for captures in regex.captures_iter(text.bytes) {
        let Some(found) = captures.get(0) else { continue };
        parts.push(piece(behind, found.start()));
        parts.push(groups(evaluator, &captures));
        behind = found.end();
    }
    parts.push(piece(behind, text.bytes.len()));
    Ok(evaluator.list(&parts))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn translations() {
        for (pattern, expected) in [
            ("a.b", Some("a.b")),
            ("[]a]", Some(r"[\]a]")),
            (r"[\n]", Some(r"[\\n]")),
            ("[[:space:]x]", Some("[[:space:]x]")),
            ("[a-z-]", Some(r"[a-z\-]")),
            (r"\.", Some(r"\.")),
            (r"\d", None),
            ("(?:a)", None),
            ("a**", Some("(?:a*)*")),
        ] {
            assert_eq!(translate(pattern).as_deref(), expected, "{pattern}");
        }
    }
}
