//! What is documented: builtin functions by their table, functions and attributes by doc-comments, `/** … */` right
//! before a function, or before the binding that gives it its name.

use super::Variables;
use crate::builtins::Builtin;
use crate::diagnostic::Result;
use crate::evaluate::Evaluator;
use crate::session::{Failure, Session};
use crate::source::{Origin, Pos};
use crate::symbol::Symbol;
use crate::syntax::ast::{AttrName, Expr, ExprKind};
use crate::syntax::{self, ParseOptions};
use crate::value::Value;
use std::path::Path;

/// What is known of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Documentation {
    /// What it is, as `builtins.map` or ``function `f` ``.
    pub subject: String,
    /// Where it was written, as `file:line:column`.
    pub place: Option<String>,
    /// Its doc-comment without its marks, or what the table of builtins says.
    pub text: Option<String>,
}

impl Documentation {
    /// What the table says of a builtin function.
    #[must_use]
    pub fn of_builtin(builtin: &Builtin) -> Self {
        let arguments =
            if builtin.arity == 1 { "1 argument".to_owned() } else { format!("{} arguments", builtin.arity) };
        let subject = format!("builtins.{} ({arguments})", builtin.name);
        Self { subject, place: None, text: Some(builtin.doc.to_owned()) }
    }
}

impl Session {
    /// What is known of what an expression gives: of a builtin function, of a function, or of the attribute that the
    /// expression selects.
    ///
    /// # Errors
    /// Whatever is wrong with the text, and what evaluation raises.
    pub fn document(
        &self,
        variables: &Variables,
        origin: Origin,
        text: &[u8],
        directory: &Path,
    ) -> std::result::Result<Documentation, Failure> {
        let value = self.eval_with(variables, origin, text, directory)?;
        let selected = self.selected(text);
        self.run(|evaluator| {
            let own = evaluator.documentation(value)?;
            let Some((subject, names)) = selected.filter(|_| own.text.is_none()) else { return Ok(own) };
            let origin = Origin::Text("(part of the input)".to_owned());
            let subject = evaluator.eval_with(variables, origin, &subject, directory)?;
            Ok(evaluator.attribute_documentation(subject, &names)?.unwrap_or(own))
        })
    }

    /// What an expression `e.a.b` selects from, and the names.
    fn selected(&self, text: &[u8]) -> Option<(Vec<u8>, Vec<Symbol>)> {
        let source = self.sources().add(Origin::Text(String::new()), text.into())?;
        let tree = syntax::parse(&source, self.symbols(), ParseOptions::default()).ok()?;
        let Expr { kind: ExprKind::Select(subject, path, _), .. } = tree else { return None };
        let names = path.iter().map(|name| match name {
            AttrName::Static(name, _) => Some(*name),
            AttrName::Dynamic(_) => None,
        });
        let (start, end) = (source.offset(subject.span.start), source.offset(subject.span.end));
        Some((text[start..end].to_vec(), names.collect::<Option<_>>()?))
    }
}

impl Evaluator<'_> {
    fn documentation(&self, value: Value) -> Result<Documentation> {
        Ok(match self.force(value)? {
            Value::Builtin(builtin) => Documentation::of_builtin(builtin),
            Value::Partial(partial) => Documentation::of_builtin(partial.builtin),
            Value::Lambda(closure) => {
                let name = closure.lambda.name.map(|name| format!(" `{}`", self.session.symbols().display(name)));
                let subject = format!("function{}", name.unwrap_or_default());
                self.documentation_at(subject, closure.lambda.span.start)
            }
            Value::Attrs(attrs) if attrs.get(crate::symbol::names::FUNCTOR).is_some() => {
                let functor = attrs.value(crate::symbol::names::FUNCTOR).expect("seen above");
                let inner = self.documentation(functor)?;
                Documentation { subject: "a set that can be called".to_owned(), ..inner }
            }
            other => Documentation { subject: other.describe().to_owned(), place: None, text: None },
        })
    }

    fn attribute_documentation(&self, subject: Value, names: &[Symbol]) -> Result<Option<Documentation>> {
        let mut value = subject;
        let mut pos = Pos::NONE;
        for name in names {
            let Value::Attrs(attrs) = self.force(value)? else { return Ok(None) };
            let Some(attr) = attrs.get(*name) else { return Ok(None) };
            (value, pos) = (attr.value, attr.pos);
        }
        let name = names.last().map(|name| self.session.symbols().display(*name)).unwrap_or_default();
        Ok(Some(self.documentation_at(format!("attribute `{name}`"), pos)).filter(|found| found.text.is_some()))
    }

    fn documentation_at(&self, subject: String, pos: Pos) -> Documentation {
        let Some(source) = self.session.sources().find(pos) else {
            return Documentation { subject, place: None, text: None };
        };
        let at = source.line_column(pos);
        let place = Some(format!("{}:{}:{}", source.name(), at.line, at.column));
        Documentation { subject, place, text: doc_comment_before(&source.text, source.offset(pos)) }
    }
}

/// The doc-comment that belongs to a function or binding at an offset, without its marks and indentation: right before
/// it, or, for a function, before the binding of which it is the value. Brackets around the function do not matter.
#[must_use]
pub fn doc_comment_before(text: &[u8], offset: usize) -> Option<String> {
    let before = text.get(..offset)?.trim_ascii_end();
    if let Some(comment) = trailing_doc_comment(before) {
        return Some(comment);
    }
    let before = trim_end_matches(before, |byte| byte == b'(' || byte.is_ascii_whitespace());
    if let Some(comment) = trailing_doc_comment(before) {
        return Some(comment);
    }
    let path = before.strip_suffix(b"=")?.trim_ascii_end();
    // The attribute path: names, dots and strings.
    let start = trim_end_matches(path, |byte| byte.is_ascii_alphanumeric() || b"_'-.\"".contains(&byte));
    trailing_doc_comment(start.trim_ascii_end())
}

fn trim_end_matches(text: &[u8], matches: impl Fn(u8) -> bool) -> &[u8] {
    let end = text.iter().rposition(|&byte| !matches(byte)).map_or(0, |last| last + 1);
    &text[..end]
}

/// The doc-comment with which a text ends.
fn trailing_doc_comment(text: &[u8]) -> Option<String> {
    let inside = text.strip_suffix(b"*/")?;
    // The comment begins at the first `/*` behind the end of the one before it.
    let from = memchr_last(inside, b"*/").map_or(0, |end| end + 2);
    let start = from + inside[from..].windows(2).position(|pair| pair == b"/*")?;
    let content = inside[start..].strip_prefix(b"/**")?;
    (!content.is_empty()).then(|| without_indentation(&String::from_utf8_lossy(content)))
}

fn memchr_last(text: &[u8], pair: &[u8; 2]) -> Option<usize> {
    text.windows(2).rposition(|found| found == pair)
}

/// The lines of a comment without what all of them are indented by, and without blank ones at the ends.
fn without_indentation(comment: &str) -> String {
    let first = comment.lines().next().unwrap_or_default().trim();
    let rest: Vec<_> = comment.lines().skip(1).map(str::trim_end).collect();
    let blanks = |line: &&str| line.len() - line.trim_start().len();
    let common = rest.iter().filter(|line| !line.is_empty()).map(blanks).min().unwrap_or(0);
    let lines = std::iter::once(first).chain(rest.iter().map(|line| line.get(common..).unwrap_or_default()));
    lines.collect::<Vec<_>>().join("\n").trim_matches('\n').trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doc_comments_are_found() {
        for (text, expected) in [
            ("/** one */ @x: x", Some("one")),
            ("/** one */ f = @x: x", Some("one")),
            ("/** one */ a.\"b\".c = ( @x: x", Some("one")),
            ("{ /** zero */ a = 1; /** one */ @b = 2; }", Some("one")),
            ("{ /** zero */ a = 1; @b = 2; }", None),
            ("f = /** two */ @x: x", Some("two")),
            ("/* plain */ f = @x: x", None),
            ("/**/ f = @x: x", None),
            ("/*** x */ @x: x", Some("* x")),
            ("/**\n    first\n      second\n\n    third\n  */\n  f = @x: x", Some("first\n  second\n\nthird")),
            ("@x", None),
            ("*/ @x", None),
        ] {
            let offset = text.find('@').expect("marked");
            let text = text.replace('@', "");
            assert_eq!(doc_comment_before(text.as_bytes(), offset).as_deref(), expected, "{text}");
        }
    }
}
