//! A dialogue with the evaluator: variables that a person defines one after the other, and what is asked about values.
//!
//! Invariant: an input that fails defines nothing.

mod completion;
mod documentation;
mod input;

pub use completion::Completion;
pub use documentation::{Documentation, doc_comment_before};
pub use input::{GrowingInput, Input, are_bindings, classify};

use crate::attrs::Attrs;
use crate::compile::Scope;
use crate::diagnostic::{Code, Diagnostic, Result};
use crate::evaluate::Evaluator;
use crate::print::{by_name, pretty::Layout};
use crate::session::{Failure, Session};
use crate::source::{Origin, Span};
use crate::symbol::Symbol;
use crate::value::Value;
use std::collections::BTreeMap;
use std::path::Path;

/// Variables with their values. A later definition of a name replaces an earlier one; what was made with the earlier
/// one keeps it.
#[derive(Debug, Clone, Default)]
pub struct Variables {
    values: BTreeMap<Symbol, Value>,
}

impl Variables {
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    fn take(&mut self, attrs: Attrs) {
        self.values.extend(attrs.all().iter().map(|attr| (attr.name, attr.value)));
    }
}

impl Session {
    /// The value of an expression in which variables are known; relative paths are relative to the directory.
    ///
    /// # Errors
    /// Whatever is wrong with the text, and what evaluation raises.
    pub fn eval_with(
        &self,
        variables: &Variables,
        origin: Origin,
        text: &[u8],
        directory: &Path,
    ) -> std::result::Result<Value, Failure> {
        self.run(|evaluator| evaluator.eval_with(variables, origin, text, directory))
    }

    /// Defines variables by bindings such as `x = 1` or `inherit (e) a b;`, and gives their names, sorted. Bindings of
    /// one text do not see each other.
    ///
    /// # Errors
    /// Whatever is wrong with the text.
    pub fn define(
        &self,
        variables: &mut Variables,
        origin: Origin,
        text: &[u8],
        directory: &Path,
    ) -> std::result::Result<Vec<String>, Failure> {
        let set = input::as_set(self, text);
        let value = self.run(|evaluator| evaluator.eval_with(variables, origin, &set, directory))?;
        self.add_attributes(variables, value)
    }

    /// Makes variables of the attributes of a set, and gives their names, sorted.
    ///
    /// # Errors
    /// When the value is not a set, and what evaluation raises.
    pub fn add_attributes(&self, variables: &mut Variables, value: Value) -> std::result::Result<Vec<String>, Failure> {
        self.run(|evaluator| {
            let attrs = evaluator.expect_attrs(value, Span::NONE, "to take variables from")?;
            variables.take(attrs);
            let names = by_name(attrs, self.symbols()).into_iter();
            Ok(names.map(|attr| self.symbols().display(attr.name)).collect())
        })
    }

    /// The value laid out for people, without a line end.
    ///
    /// # Errors
    /// What evaluation raises; below the outermost value only when all of it is to be shown.
    pub fn show(&self, value: Value, layout: Layout) -> std::result::Result<Vec<u8>, Failure> {
        self.run(|evaluator| evaluator.show_laid_out(value, layout))
    }

    /// What kind of thing a value is, in a few words.
    ///
    /// # Errors
    /// What evaluation raises.
    pub fn describe(&self, value: Value) -> std::result::Result<String, Failure> {
        self.run(|evaluator| {
            Ok(match evaluator.force(value)? {
                Value::Builtin(builtin) => format!("the built-in function `{}`", builtin.name),
                Value::Partial(partial) => {
                    format!("the partially applied built-in function `{}`", partial.builtin.name)
                }
                value => value.describe().to_owned(),
            })
        })
    }

    /// The file, and the line from 1, where a value was written: a function, or a set with attributes.
    ///
    /// # Errors
    /// When it is something else or comes from no file, and what evaluation raises.
    pub fn place(&self, value: Value) -> std::result::Result<(std::path::PathBuf, u32), Failure> {
        self.run(|evaluator| {
            let pos = match evaluator.force(value)? {
                Value::Lambda(closure) => Some(closure.lambda.span.start),
                Value::Attrs(attrs) => {
                    attrs.all().iter().map(|attr| attr.pos).filter(|pos| *pos != crate::source::Pos::NONE).min()
                }
                Value::Path(path) => return Ok((crate::paths::from_bytes(path.bytes()).to_owned(), 1)),
                _ => None,
            };
            let place = pos.and_then(|pos| {
                let source = self.sources().find(pos)?;
                Some((source.path()?.to_owned(), source.line_column(pos).line))
            });
            place.ok_or_else(|| {
                Diagnostic::new(Code::BadArgument, Span::NONE, "this value was not written in a file")
                    .hint("name a function, a set or a path")
            })
        })
    }
}

impl Evaluator<'_> {
    fn eval_with(&self, variables: &Variables, origin: Origin, text: &[u8], directory: &Path) -> Result<Value> {
        let base = Scope::of_names(None, Vec::new());
        let names = variables.values.keys().copied().zip(0..).collect();
        let scope = Scope::of_names(Some(&base), names);
        let directory = crate::paths::to_bytes(directory);
        let code = self.session.compile(self, origin, text.into(), directory, &scope)?;
        let values: Vec<_> = variables.values.values().copied().collect();
        self.eval(code, self.env_of(&values))
    }
}
