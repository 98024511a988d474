//! Turning values into strings.

use super::Evaluator;
use crate::arena::no_memory;
use crate::context::{Context, ContextBuilder, Element};
use crate::diagnostic::{Code, Diagnostic, Result};
use crate::source::Span;
use crate::symbol::names;
use crate::value::{List, Text, Value};

/// What may be turned into a string, and how.
#[derive(Debug, Clone, Copy)]
pub struct Coercion {
    /// Whether a path is copied to the store and gives its store path; otherwise it gives its own text.
    pub copy_paths: bool,
    /// Whether null, booleans, numbers and lists are taken too.
    pub all_types: bool,
}

impl Coercion {
    /// As in `"${x}"`.
    pub const STRING: Self = Self { copy_paths: true, all_types: false };
    /// As in `./path + x`.
    pub const PLAIN: Self = Self { copy_paths: false, all_types: false };
    /// As `builtins.toString` does.
    pub const TO_STRING: Self = Self { copy_paths: false, all_types: true };
    /// As for the environment of a derivation.
    pub const DERIVATION: Self = Self { copy_paths: true, all_types: true };
}

/// How many bytes a string may have.
const MAX_STRING: usize = 1 << 32;

/// A string being put together.
#[derive(Debug)]
pub struct Joined {
    /// What it begins with, which is not copied before it must be.
    first: Option<Text>,
    /// What follows.
    bytes: Vec<u8>,
    /// How many bytes it may have.
    room: usize,
    context: ContextBuilder,
    /// Whether more is mentioned than by the first text.
    mentions: bool,
}

impl Joined {
    /// Adds a string.
    #[inline]
    pub fn push(&mut self, text: Text) {
        if self.bytes.is_empty() && self.first.is_none() && !self.mentions {
            self.first = Some(text);
            self.context.add(text.context());
            return;
        }
        self.push_bytes(text.bytes());
        self.add_context(text.context());
    }

    fn first(&self) -> &'static [u8] {
        self.first.map_or(b"", Text::bytes)
    }

    /// Adds bytes without context, if there is room for them: a string that is joined of itself again and again outgrows
    /// any memory.
    pub fn push_bytes(&mut self, bytes: &[u8]) {
        let whole = self.first().len() + self.bytes.len() + bytes.len();
        if whole > self.room || self.bytes.try_reserve(bytes.len()).is_err() {
            no_memory();
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// Adds a context.
    pub(crate) fn add_context(&mut self, context: Option<&'static Context>) {
        self.mentions |= context.is_some();
        self.context.add(context);
    }

    /// Adds an element to the context.
    pub fn add_element(&mut self, element: Element) {
        self.mentions = true;
        self.context.add_element(element);
    }

    /// The bytes and the context.
    #[must_use]
    pub fn into_parts(self) -> (Vec<u8>, Option<&'static Context>) {
        ([self.first(), &self.bytes].concat(), self.context.finish())
    }

    /// The string.
    #[must_use]
    pub(crate) fn finish(self, evaluator: &Evaluator<'_>) -> Value {
        let Some(first) = self.first else { return evaluator.string_with(&self.bytes, self.context.finish()) };
        if self.bytes.is_empty() && !self.mentions {
            return Value::String(first);
        }
        let bytes = evaluator.texts.join(evaluator.bump, first.bytes(), &self.bytes);
        Value::String(Text::with_context(evaluator.bump, bytes, self.context.finish()))
    }
}

impl Evaluator<'_> {
    /// Fails when a text of so many bytes is longer than memory allows.
    pub(crate) fn check_room(&self, bytes: usize, span: Span) -> Result<()> {
        if bytes > self.budget.limit().min(MAX_STRING) { Err(self.session.memory_limit(span)) } else { Ok(()) }
    }

    /// An empty string to put something together in.
    pub(crate) fn joined(&self) -> Joined {
        let room = self.budget.limit().min(MAX_STRING);
        Joined { first: None, bytes: Vec::new(), room, context: ContextBuilder::default(), mentions: false }
    }

    /// Adds the string that a value is turned into.
    ///
    /// # Errors
    /// When the value cannot be turned into a string, or evaluating a part of it fails.
    pub(crate) fn coerce(&self, value: Value, how: Coercion, joined: &mut Joined, span: Span) -> Result<()> {
        match self.force(value)? {
            Value::String(text) => joined.push(text),
            Value::Path(path) if how.copy_paths => {
                let path = self.add_path(path.bytes(), span)?;
                joined.push_bytes(path.to_string().as_bytes());
                joined.add_element(Element::Tree(path));
            }
            Value::Path(path) => joined.push(path),
            set @ Value::Attrs(_) => return self.coerce_set(set, how, joined, span),
            Value::Int(number) if how.all_types => joined.push_bytes(number.to_string().as_bytes()),
            Value::Float(number) if how.all_types => joined.push_bytes(format!("{number:.6}").as_bytes()),
            Value::Bool(true) if how.all_types => joined.push_bytes(b"1"),
            Value::Bool(false) | Value::Null if how.all_types => joined.push_bytes(b""),
            Value::List(list) if how.all_types => return self.coerce_list(list, how, joined, span),
            other => return Err(self.not_a_string(other, span)),
        }
        Ok(())
    }

    fn coerce_list(&self, list: List, how: Coercion, joined: &mut Joined, span: Span) -> Result<()> {
        self.check_stack(span)?;
        for (index, item) in list.items().iter().enumerate() {
            let item = self.force(*item)?;
            self.coerce(item, how, joined, span).map_err(|error| {
                error.frame(Span::NONE, format!("while turning element {index} of a list into a string"))
            })?;
            let empty_list = matches!(item, Value::List(list) if list.items().is_empty());
            if index + 1 < list.items().len() && !empty_list {
                joined.push_bytes(b" ");
            }
        }
        Ok(())
    }

    fn coerce_set(&self, set: Value, how: Coercion, joined: &mut Joined, span: Span) -> Result<()> {
        self.check_stack(span)?;
        let Value::Attrs(attrs) = set else { return Ok(()) };
        if let Some(to_string) = attrs.value(names::TO_STRING) {
            let text = self.call(to_string, &[set], span)?;
            return self.coerce(text, how, joined, span);
        }
        match attrs.value(names::OUT_PATH) {
            Some(path) => self.coerce(path, how, joined, span),
            None => Err(self.not_a_string(set, span)),
        }
    }

    #[cold]
    fn not_a_string(&self, value: Value, span: Span) -> Box<Diagnostic> {
        let message = format!("cannot turn {} into a string", value.describe());
        let error = Diagnostic::new(Code::Coercion, span, message).label(self.show_short(value)).found(value);
        let error = error.origin(self.origin_of(value), self.show_short(value));
        match value {
            Value::Attrs(_) => error.hint(
                "a set is turned into a string only if it has `outPath` (as a derivation) or `__toString`: \
                 select one of its attributes, or use `builtins.toJSON`",
            ),
            Value::Lambda(_) | Value::Builtin(_) | Value::Partial(_) => {
                error.hint("is the function missing an argument?")
            }
            Value::Int(_) | Value::Float(_) => error.hint("write `toString` before the value to turn it into a string"),
            Value::Bool(_) => error.hint(
                "write `if … then \"true\" else \"false\"`; `toString` turns true into \"1\" and false into \"\"",
            ),
            Value::Null => error.hint("is a value missing? if not, `toString` turns null into the empty string"),
            Value::List(_) => {
                error.hint("write `toString` before the list, or join it with `builtins.concatStringsSep`")
            }
            _ => error,
        }
    }

    /// The string that a value is turned into, as a value.
    pub(crate) fn coerced(&self, value: Value, how: Coercion, span: Span) -> Result<Text> {
        let mut joined = self.joined();
        self.coerce(value, how, &mut joined, span)?;
        match joined.finish(self) {
            Value::String(text) => Ok(text),
            _ => Ok(crate::value::Text::EMPTY),
        }
    }

    /// The absolute path that a value names; what it mentions is built first.
    pub(crate) fn coerce_path(&self, value: Value, span: Span) -> Result<Vec<u8>> {
        let mut joined = self.joined();
        self.coerce(value, Coercion::PLAIN, &mut joined, span)?;
        let (bytes, context) = joined.into_parts();
        if !bytes.starts_with(b"/") {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let message = format!("`{text}` is not an absolute path");
            return Err(Diagnostic::new(Code::Coercion, span, message)
                .hint(format!("write `./{text}` without quotes for a file beside this one")));
        }
        self.realise_path(&bytes, context, span)
    }
}
