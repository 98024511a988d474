//! `match` and `split`: extended regular expressions with the results that Nix gives.
//!
//! `syntax` reads an expression, `program` searches exactly. Where the `regex` crate finds the same (it takes the first
//! alternative instead of the longest, and has its own idea of empty rounds), it is used, because it is faster. Looking
//! for a match is linear in the text, whatever the expression, and bounded in memory; `split` looks for one behind each.

mod bracket;
mod program;
mod syntax;

use super::{Builtin, row};
use crate::diagnostic::{CallPart, Code, Diagnostic, Result};
use crate::evaluate::Evaluator;
use crate::source::Span;
use crate::value::{Text, Value};
use program::{Asked, Groups, Program, TooComplex};
use regex::bytes::{Regex, RegexBuilder};
use std::sync::Arc;

pub(super) const TABLE: &[Builtin] = &[
    row("match", 2, "The groups of a regular expression that matches a whole string, or null.", whole_match),
    row("split", 2, "The texts between the matches of a regular expression, and lists of its groups.", split),
];

/// A compiled regular expression.
#[derive(Debug)]
pub(crate) struct Pattern {
    groups: usize,
    /// Finds the same matches, if not the same ends and groups; bound to both ends of the text in `whole`.
    somewhere: Option<Regex>,
    whole: Option<Regex>,
    /// Whether `whole` finds the same groups.
    whole_is_exact: bool,
    /// Whether `somewhere` finds the same ends and groups.
    somewhere_is_exact: bool,
    program: Program,
}

fn library(text: &str) -> Option<Regex> {
    RegexBuilder::new(text).unicode(false).dot_matches_new_line(true).build().ok()
}

impl Pattern {
    fn new(pattern: &[u8]) -> std::result::Result<Self, syntax::Malformed> {
        let expression = syntax::parse(pattern)?;
        let program = Program::new(&expression)?;
        let mut text = String::with_capacity(pattern.len() * 4);
        expression.node.translate(&mut text);
        let (somewhere, whole) = (library(&text), library(&format!(r"\A(?:{text})\z")));
        let same_groups = !program.has_counters() && !expression.node.has_unreachable();
        Ok(Self {
            groups: expression.groups,
            whole_is_exact: whole.is_some() && same_groups,
            somewhere_is_exact: somewhere.is_some() && same_groups && !program.has_alternatives,
            somewhere,
            whole,
            program,
        })
    }

    /// The groups of a match of the whole text.
    fn matching(&self, text: &[u8]) -> std::result::Result<Option<Groups>, TooComplex> {
        if let Some(regex) = &self.whole {
            if self.groups == 0 {
                return Ok(regex.is_match(text).then(|| vec![Some((0, text.len()))]));
            }
            if self.whole_is_exact {
                return Ok(captures(regex, text, 0));
            }
            if !regex.is_match(text) {
                return Ok(None);
            }
        }
        let asked = Asked { start: 0, whole: true, not_empty: false, at_begin: true };
        self.program.search(text, asked, self.groups)
    }

    /// The first match at or behind a place. `at_begin` says whether `^` matches there.
    fn find(&self, text: &[u8], mut start: usize, at_begin: bool) -> std::result::Result<Option<Groups>, TooComplex> {
        if self.somewhere_is_exact {
            let Some(regex) = &self.somewhere else { return Ok(None) };
            if self.groups == 0 {
                return Ok(regex.find_at(text, start).map(|found| vec![Some((found.start(), found.end()))]));
            }
            return Ok(captures(regex, text, start));
        }
        // Another library knows where the first match starts, but not always where it ends.
        let from = start;
        while start <= text.len() {
            if let Some(regex) = &self.somewhere {
                let Some(found) = regex.find_at(text, start) else { return Ok(None) };
                start = found.start();
            }
            let asked = Asked { start, whole: false, not_empty: false, at_begin: at_begin && start == from };
            if let Some(groups) = self.program.search(text, asked, self.groups)? {
                return Ok(Some(groups));
            }
            start += 1;
        }
        Ok(None)
    }
}

fn captures(regex: &Regex, text: &[u8], start: usize) -> Option<Groups> {
    let captures = regex.captures_at(text, start)?;
    Some(captures.iter().map(|group| group.map(|group| (group.start(), group.end()))).collect())
}

/// The compiled form of an expression, kept for the evaluator's life.
fn compile(evaluator: &Evaluator<'_>, pattern: Text, span: Span) -> Result<Arc<Pattern>> {
    if let Some(known) = evaluator.regexes().get(pattern.bytes()) {
        return Ok(Arc::clone(known));
    }
    let compiled = Pattern::new(pattern.bytes()).map_err(|problem| {
        let text = String::from_utf8_lossy(pattern.bytes());
        Diagnostic::new(Code::BadArgument, span, format!("invalid regular expression `{text}`: {problem}"))
            .part(CallPart::Argument(0))
    })?;
    let compiled = Arc::new(compiled);
    evaluator.regexes().insert(pattern.bytes().to_vec(), Arc::clone(&compiled));
    Ok(compiled)
}

fn too_complex(span: Span) -> impl Fn(TooComplex) -> Box<Diagnostic> {
    move |TooComplex| {
        Diagnostic::new(Code::BadArgument, span, "this regular expression needs too much memory for so long a string")
            .hint("repetitions that can match nothing, such as `(a*)*`, make it costly")
    }
}

/// The groups as a list: strings, and null for what took no part.
fn group_list(evaluator: &Evaluator<'_>, text: Text, groups: &Groups) -> Value {
    let groups = groups[1..].iter();
    evaluator
        .list_of(groups.map(|group| group.map_or(Value::Null, |(from, to)| evaluator.string(&text.bytes()[from..to]))))
}

fn whole_match(evaluator: &Evaluator<'_>, args: &[Value], span: Span) -> Result<Value> {
    let pattern = evaluator.expect_plain_string(args[0], span, "as the expression given to `match`")?;
    let pattern = compile(evaluator, pattern, span)?;
    let text = evaluator.expect_string(args[1], span, "as the string given to `match`")?;
    let found = pattern.matching(text.bytes()).map_err(too_complex(span))?;
    Ok(found.map_or(Value::Null, |groups| group_list(evaluator, text, &groups)))
}

fn split(evaluator: &Evaluator<'_>, args: &[Value], span: Span) -> Result<Value> {
    let pattern = evaluator.expect_plain_string(args[0], span, "as the expression given to `split`")?;
    let pattern = compile(evaluator, pattern, span)?;
    let text = evaluator.expect_string(args[1], span, "as the string given to `split`")?;
    let piece = |from: usize, to: usize| evaluator.string(&text.bytes()[from..to]);
    let mut parts = Vec::new();
    let mut behind = 0;
    for_each_match(&pattern, text.bytes(), too_complex(span), |groups| {
        evaluator.check_stopped(span)?;
        let Some((start, end)) = groups[0] else { return Ok(()) };
        parts.push(piece(behind, start));
        parts.push(group_list(evaluator, text, groups));
        behind = end;
        Ok(())
    })?;
    parts.push(piece(behind, text.bytes().len()));
    Ok(evaluator.list(&parts))
}

/// All matches in a text, as the iterator of the C++ library gives them: behind an empty match one that is not empty is
/// looked for at the same place, and only then one further on. `found` says whether to go on.
fn for_each_match(
    pattern: &Pattern,
    text: &[u8],
    too_complex: impl Fn(TooComplex) -> Box<Diagnostic>,
    mut found: impl FnMut(&Groups) -> Result<()>,
) -> Result<()> {
    let mut next = pattern.find(text, 0, true).map_err(&too_complex)?;
    let mut at_begin = true;
    while let Some(groups) = next {
        found(&groups)?;
        let Some((from, mut start)) = groups[0] else { return Ok(()) };
        if from == start {
            if start == text.len() {
                return Ok(());
            }
            // What is exact for the `regex` crate prefers longer matches, so that none is left at this place.
            if !pattern.somewhere_is_exact {
                let asked = Asked { start, whole: false, not_empty: true, at_begin };
                next = pattern.program.search(text, asked, pattern.groups).map_err(&too_complex)?;
                if next.is_some() {
                    continue;
                }
            }
            start += 1;
        }
        at_begin = false;
        next = pattern.find(text, start, false).map_err(&too_complex)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, text: &str) -> Option<Vec<Option<String>>> {
        let groups = Pattern::new(pattern.as_bytes()).unwrap().matching(text.as_bytes()).unwrap()?;
        Some(groups[1..].iter().map(|group| group.map(|(from, to)| text[from..to].to_owned())).collect())
    }

    #[test]
    fn the_first_way_counts_for_whole_texts() {
        let some = |groups: &[&str]| Some(groups.iter().map(|group| Some((*group).to_owned())).collect::<Vec<_>>());
        assert_eq!(matches("(a|ab)(c|bcd)(d*)", "abcd"), some(&["a", "bcd", ""]));
        assert_eq!(matches("(a*)*", "aaa"), some(&[""]));
        assert_eq!(matches("((a*)(b*))*", "aabb"), some(&["", "", ""]));
        assert_eq!(matches("(a|b|)+", "ab"), some(&[""]));
        assert_eq!(matches("(a|b)*", "ab"), some(&["b"]));
        assert_eq!(matches("(a){0}b", "b"), Some(vec![None]));
    }

    #[test]
    fn the_longest_match_counts_in_a_search() {
        let pattern = Pattern::new(b"a|ab|abc").unwrap();
        assert_eq!(pattern.find(b"xabcx", 0, true).unwrap().unwrap()[0], Some((1, 4)));
    }

    #[test]
    fn malformed_expressions_are_refused() {
        for pattern in [
            "(",
            ")",
            "[",
            "[a",
            "*a",
            "a|*",
            "^*",
            r"\d",
            r"\-",
            "[[:x:]]",
            "[b-a]",
            "[a-c-e]",
            "a{",
            "a{,2}",
            "a{2,1}",
            "(?:a)",
            "a\\",
            "((((((a{9}){9}){9}){9}){9}){9})",
            "[[.-.]]",
        ] {
            assert!(Pattern::new(pattern.as_bytes()).is_err(), "{pattern}");
        }
        let many = "(a*)*".repeat(100);
        assert!(Pattern::new(many.as_bytes()).is_err());
    }

    #[test]
    fn catastrophic_expressions_are_quick() {
        let text = "a".repeat(20_000) + "b";
        for pattern in ["(a*)*c", "(a|a)*c", "(a|aa)+c", "((a*)(a*))*c", "(a?){50}a{50}c", "(.*)(.*)(.*)c"] {
            assert_eq!(matches(pattern, &text), None, "{pattern}");
        }
        assert!(matches("(a|aa)*(a?)*b", &text).is_some());
    }
}
