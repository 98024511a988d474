//! Attribute paths as a command line gives them: `a.b."c d".0`.
//!
//! ```text
//! path = "" | name { "." name }
//! name = characters other than "." and '"' | '"' { character | "\" character } '"'
//! ```
//!
//! A name made of digits selects an element when it is applied to a list.

use crate::diagnostic::{Code, Diagnostic, Result};
use crate::evaluate::Evaluator;
use crate::interface::Arguments;
use crate::source::Span;
use crate::value::Value;

/// The names of an attribute path.
///
/// # Errors
/// When a quote is not closed or a name is empty.
pub fn parse_path(path: &str) -> Result<Vec<String>> {
    if path.is_empty() {
        return Ok(Vec::new());
    }
    let mut names = Vec::new();
    let mut characters = path.chars().peekable();
    loop {
        let mut name = String::new();
        let quoted = characters.peek() == Some(&'"');
        while let Some(&character) = characters.peek().filter(|character| **character != '.') {
            characters.next();
            if character == '"' { read_quoted(&mut characters, &mut name, path)? } else { name.push(character) }
        }
        if name.is_empty() && !quoted {
            return Err(bad_path(path, "has an empty name"));
        }
        names.push(name);
        if characters.next().is_none() {
            return Ok(names);
        }
    }
}

fn read_quoted(characters: &mut std::iter::Peekable<std::str::Chars<'_>>, name: &mut String, path: &str) -> Result<()> {
    loop {
        match characters.next() {
            Some('"') => return Ok(()),
            Some('\\') => name.extend(characters.next()),
            Some(character) => name.push(character),
            None => return Err(bad_path(path, "has a quote that is not closed")),
        }
    }
}

fn bad_path(path: &str, problem: &str) -> Box<Diagnostic> {
    Diagnostic::new(Code::Selection, Span::NONE, format!("the attribute path `{path}` {problem}"))
        .hint("names are separated by dots; put names with dots in quotes: a.\"b.c\"")
}

impl Evaluator<'_> {
    /// Follows an attribute path. Functions on the way are called with the arguments.
    ///
    /// # Errors
    /// When a name is missing, with names near to it, and whatever evaluation raises.
    pub fn select_path(&self, mut value: Value, path: &[String], arguments: &Arguments) -> Result<Value> {
        for (index, name) in path.iter().enumerate() {
            value = self.auto_call(value, arguments)?;
            value = self.select_name(value, name, &path[..index])?;
        }
        Ok(value)
    }

    fn select_name(&self, value: Value, name: &str, before: &[String]) -> Result<Value> {
        let place = if before.is_empty() { String::new() } else { format!(" in `{}`", before.join(".")) };
        match value {
            Value::Attrs(attrs) => {
                let attr = self.session.symbols().find(name.as_bytes()).and_then(|symbol| attrs.get(symbol));
                let Some(attr) = attr else { return Err(self.missing_selection(attrs, name, &place)) };
                self.force(attr.value).map_err(|error| {
                    error.frame(self.session.name_span(attr.pos), format!("while evaluating attribute `{name}`"))
                })
            }
            Value::List(list) => match name.parse::<usize>().ok().and_then(|index| list.items().get(index)) {
                Some(item) => self.force(*item),
                None => {
                    let message = format!("a list of {} elements{place} has no element `{name}`", list.items().len());
                    Err(Diagnostic::new(Code::Selection, Span::NONE, message))
                }
            },
            other => {
                let message = format!("cannot select `{name}`{place}: {}", self.show_short(other));
                Err(Diagnostic::new(Code::Selection, Span::NONE, message))
            }
        }
    }

    fn missing_selection(&self, attrs: crate::attrs::Attrs, name: &str, place: &str) -> Box<Diagnostic> {
        let symbol = self.session.symbols().intern(name.as_bytes());
        let missing = self.missing_attribute(attrs, symbol, Span::NONE);
        let error = Diagnostic::new(Code::Selection, Span::NONE, format!("there is no attribute `{name}`{place}"));
        let symbols = self.session.symbols();
        let known = || attrs.all().iter().map(|attr| symbols.bytes(attr.name));
        let hint = missing.hints.first().cloned().or_else(|| crate::near::nearest(name.as_bytes(), known()));
        error.maybe_hint(hint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        for (path, names) in [
            ("", vec![]),
            ("a", vec!["a"]),
            ("a.b-c.0", vec!["a", "b-c", "0"]),
            (r#"a."c d".e"#, vec!["a", "c d", "e"]),
            (r#""x\"y.z""#, vec!["x\"y.z"]),
        ] {
            assert_eq!(parse_path(path).expect("well formed"), names, "{path}");
        }
        for path in [".", "a..b", "a.", "\"a"] {
            assert!(parse_path(path).is_err(), "{path}");
        }
    }
}
