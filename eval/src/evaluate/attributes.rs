//! Attribute sets: making them, selecting from them, `with`.

use super::Evaluator;
use crate::attrs::{Attr, Attrs};
use crate::code::{AttrsCode, Dynamic, HasAttr, Name, SearchPath, Select};
use crate::diagnostic::{CallPart, Code, Diagnostic, Result};
use crate::env::Env;
use crate::near::{did_you_mean, near_names};
use crate::source::{Origin, Pos, Span};
use crate::symbol::{Symbol, names};
use crate::value::Value;

impl Evaluator<'_> {
    #[inline]
    pub(super) fn select(&self, code: &'static Select, env: Env) -> Result<Value> {
        let mut value = match self.eval(&code.subject, env) {
            Ok(value) => value,
            Err(error) => return Err(self.subject_failed(error, code)),
        };
        for (name, span) in code.path {
            let span = *span;
            let name = self.name(name, env, span)?;
            let found = match value {
                Value::Attrs(attrs) => self.lookups.get(attrs, name),
                _ if code.default.is_some() => None,
                other => return Err(self.not_a_set(other, name, self.subject(code.span, span))),
            };
            let Some(attr) = found else {
                return match (&code.default, value) {
                    (Some(default), _) => self.eval(default, env),
                    (None, Value::Attrs(attrs)) => Err(self.missing_attribute(attrs, name, span)),
                    (None, other) => Err(self.not_a_set(other, name, self.subject(code.span, span))),
                };
            };
            value = match self.force(attr.value) {
                Ok(value) => value,
                Err(error) => return Err(self.attribute_frame(error, attr, code.span)),
            };
        }
        Ok(value)
    }

    #[cold]
    fn attribute_frame(&self, error: Box<Diagnostic>, attr: &Attr, span: Span) -> Box<Diagnostic> {
        let error = if error.code == Code::InfiniteRecursion { error.at(span) } else { error };
        let place = self.session.name_span(attr.pos);
        error.attribute_frame(place, attr.name)
    }

    pub(super) fn has_attr(&self, code: &'static HasAttr, env: Env) -> Result<bool> {
        let mut value = self.eval(&code.subject, env).map_err(|error| error.at(code.span))?;
        for (index, (name, span)) in code.path.iter().enumerate() {
            let name = self.name(name, env, *span)?;
            let Value::Attrs(attrs) = value else { return Ok(false) };
            let Some(attr) = attrs.get(name) else { return Ok(false) };
            if index + 1 < code.path.len() {
                value = self.force(attr.value)?;
            }
        }
        Ok(true)
    }

    #[inline]
    fn name(&self, name: &'static Name, env: Env, span: Span) -> Result<Symbol> {
        match name {
            Name::Static(name) => Ok(*name),
            Name::Dynamic(expr) => {
                let value = self.eval(expr, env).map_err(|error| error.at(span))?;
                self.attribute_name(value, span)
            }
        }
    }

    /// The symbol that a string value names.
    pub(crate) fn attribute_name(&self, value: Value, span: Span) -> Result<Symbol> {
        match value {
            Value::String(text) if text.context().is_none() => Ok(self.session.symbols().intern_text(text)),
            Value::String(text) => {
                let message = format!("the name `{}` mentions store objects", String::from_utf8_lossy(text.bytes()));
                Err(Diagnostic::new(Code::Context, span, message)
                    .hint("builtins.unsafeDiscardStringContext makes it a plain string"))
            }
            other => Err(self.wrong_type("a string", other, span, "as the name of an attribute")),
        }
    }

    /// Makes a set.
    pub(super) fn attrs(&self, code: &'static AttrsCode, env: Env) -> Result<Value> {
        let bindings = &code.bindings;
        if !code.recursive && bindings.sources.is_empty() && code.dynamic.is_empty() {
            let attrs = bindings.items.iter().map(|item| Attr {
                name: item.name,
                pos: item.pos,
                value: self.delay_element(&item.value, env),
            });
            let attrs = self.bump.alloc_slice_fill_iter(attrs);
            return Ok(Value::Attrs(Attrs::from_sorted(self.bump, attrs)));
        }
        let (inner, mut attrs) =
            if code.recursive { self.recursive_attrs(code, env)? } else { self.sourced_attrs(code, env) };
        for dynamic in code.dynamic {
            self.add_dynamic(dynamic, inner, &mut attrs)?;
        }
        if code.overrides.is_none() && (code.recursive || !bindings.sources.is_empty()) {
            self.recycle(inner, 1);
        }
        Ok(Value::Attrs(Attrs::from_unsorted(self.bump, attrs)))
    }

    fn sourced_attrs(&self, code: &'static AttrsCode, env: Env) -> (Env, Vec<Attr>) {
        let sources = code.bindings.sources;
        let inner = if sources.is_empty() {
            env
        } else {
            let mut builder = self.envs.builder(env, sources.len());
            for source in sources {
                builder.push(self.delay(source, env));
            }
            builder.env()
        };
        let attrs = code.bindings.items.iter().map(|item| {
            let from = if item.outer { env } else { inner };
            Attr { name: item.name, pos: item.pos, value: self.delay_element(&item.value, from) }
        });
        (inner, attrs.collect())
    }

    fn recursive_attrs(&self, code: &'static AttrsCode, env: Env) -> Result<(Env, Vec<Attr>)> {
        let inner = self.bind(&code.bindings, env);
        let attr = |env: Env| {
            code.bindings.items.iter().zip(code.bindings.sources.len() as u32..).map(move |(item, slot)| Attr {
                name: item.name,
                pos: item.pos,
                value: env.get(slot),
            })
        };
        let Some(slot) = code.overrides else { return Ok((inner, attr(inner).collect())) };
        // The old `__overrides`: its attributes replace those of the set, also for the set's own bindings.
        let overrides = self.expect_attrs(inner.get(slot), Span::NONE, "as `__overrides`")?;
        let overridden = self.bind_overridden(code, env, overrides);
        let mut attrs: Vec<_> = overrides.all().to_vec();
        attrs.extend(attr(overridden));
        Ok((overridden, attrs))
    }

    fn bind_overridden(&self, code: &'static AttrsCode, env: Env, overrides: Attrs) -> Env {
        let bindings = &code.bindings;
        let mut builder = self.envs.builder(env, bindings.sources.len() + bindings.items.len());
        let inner = builder.env();
        for source in bindings.sources {
            builder.push(self.delay_binding(source, inner));
        }
        for item in bindings.items {
            let from = if item.outer { env } else { inner };
            let value = match overrides.value(item.name) {
                Some(value) => value,
                None if item.name == names::OVERRIDES => Value::Attrs(overrides),
                None => self.delay_binding(&item.value, from),
            };
            builder.push(value);
        }
        inner
    }

    fn add_dynamic(&self, dynamic: &'static crate::code::DynamicAttr, env: Env, attrs: &mut Vec<Attr>) -> Result<()> {
        let name = self.eval(&dynamic.name, env).map_err(|error| error.at(dynamic.span))?;
        if matches!(name, Value::Null) {
            return Ok(());
        }
        let name = self.attribute_name(name, dynamic.span)?;
        if let Some(first) = attrs.iter().find(|attr| attr.name == name) {
            let message = format!("attribute `{}` is defined twice", self.session.symbols().display(name));
            return Err(Diagnostic::new(Code::DuplicateName, dynamic.span, message)
                .label("defined again here")
                .also(self.session.name_span(first.pos), "first defined here"));
        }
        attrs.push(Attr { name, pos: dynamic.pos, value: self.delay_element(&dynamic.value, env) });
        Ok(())
    }

    /// A name that only a `with` can define.
    pub(super) fn dynamic_variable(&self, code: &'static Dynamic, env: Env) -> Result<Value> {
        for (index, &depth) in code.depths.iter().enumerate() {
            let set = self.force(env.up(depth).get(0)).map_err(|error| error.at(code.span))?;
            let Value::Attrs(attrs) = set else {
                return Err(self.wrong_type("a set", set, code.span, "in `with`").part(CallPart::With(index)));
            };
            if let Some(attr) = self.lookups.get(attrs, code.name) {
                return self.force(attr.value).map_err(|error| error.at(code.span));
            }
        }
        Err(self.undefined_in_with(code, env))
    }

    #[cold]
    fn undefined_in_with(&self, code: &Dynamic, env: Env) -> Box<Diagnostic> {
        let symbols = self.session.symbols();
        let sets = code.depths.iter().filter_map(|&depth| match env.up(depth).get(0).resolved() {
            Value::Attrs(attrs) => Some(attrs),
            _ => None,
        });
        let mut known: Vec<_> =
            sets.flat_map(|attrs| attrs.all().iter().map(|attr| symbols.bytes(attr.name))).collect();
        known.sort_unstable();
        let message = format!("undefined variable `{}`", symbols.display(code.name));
        Diagnostic::new(Code::UndefinedVariable, code.span, message)
            .label("not defined, and not in the set of any `with` around it")
            .maybe_hint(did_you_mean(symbols.bytes(code.name), known.into_iter()))
    }

    /// An attribute that is not there.
    #[cold]
    pub(crate) fn missing_attribute(&self, attrs: Attrs, name: Symbol, span: Span) -> Box<Diagnostic> {
        let symbols = self.session.symbols();
        // Only the set of builtin functions has one called `derivationStrict`.
        let builtins = symbols.find(b"derivationStrict").is_some_and(|name| attrs.get(name).is_some());
        if let Some(error) = crate::builtins::unavailable(&symbols.display(name), span).filter(|_| builtins) {
            return error;
        }
        let mut known: Vec<_> = attrs.all().iter().map(|attr| symbols.bytes(attr.name)).collect();
        known.sort_unstable();
        let hint = did_you_mean(symbols.bytes(name), known.iter().copied()).or_else(|| match known.as_slice() {
            [] => Some("the set is empty".to_owned()),
            few if few.len() <= 8 => {
                let names: Vec<_> = few.iter().map(|name| String::from_utf8_lossy(name)).collect();
                Some(format!("the set has: {}", names.join(", ")))
            }
            _ => None,
        });
        let message = format!("attribute `{}` missing", symbols.display(name));
        let origin = format!("in this set, without `{}`", symbols.display(name));
        Diagnostic::new(Code::MissingAttribute, span, message)
            .label("not in this set")
            .maybe_hint(hint)
            .found(Value::Attrs(attrs))
            .origin(self.written_at(attrs, symbols.bytes(name)), origin)
    }

    /// Where a set is written: the place of the attribute that is nearest to a name, or else of the first one.
    fn written_at(&self, attrs: Attrs, name: &[u8]) -> Span {
        let symbols = self.session.symbols();
        let placed = || attrs.all().iter().filter(|attr| attr.pos != Pos::NONE);
        let near = near_names(name, placed().map(|attr| symbols.bytes(attr.name)));
        let nearest = near.first().and_then(|name| placed().find(|attr| symbols.bytes(attr.name) == *name));
        let attr = nearest.or_else(|| placed().min_by_key(|attr| attr.pos));
        attr.map_or(Span::NONE, |attr| self.session.name_span(attr.pos))
    }

    /// Where a value is written, of those values that know it.
    pub(super) fn origin_of(&self, value: Value) -> Span {
        match value.resolved() {
            Value::Attrs(attrs) => self.written_at(attrs, b""),
            Value::Lambda(closure) => closure.lambda.span,
            _ => Span::NONE,
        }
    }

    #[cold]
    fn subject_failed(&self, error: Box<Diagnostic>, code: &Select) -> Box<Diagnostic> {
        if error.is_placed() {
            return error;
        }
        error.at(self.subject(code.span, code.path.first().map_or(code.span, |(_, span)| *span)))
    }

    /// The place of what a name is selected from: what stands before its dot.
    #[cold]
    fn subject(&self, selection: Span, name: Span) -> Span {
        let Some(source) = self.session.sources().find(name.start) else { return selection };
        let (start, end) = (source.offset(selection.start), source.offset(name.start));
        let before = source.text.get(start..end).unwrap_or_default();
        let dot = |byte: &u8| !(byte.is_ascii_whitespace() || matches!(byte, b'.' | b'"' | b'$' | b'{'));
        let length = before.iter().rposition(dot).map_or(0, |last| last + 1);
        if length == 0 { selection } else { source.span(start, start + length) }
    }

    #[cold]
    fn not_a_set(&self, value: Value, name: Symbol, span: Span) -> Box<Diagnostic> {
        let message = format!(
            "cannot select attribute `{}` from {}: a set is expected",
            self.session.symbols().display(name),
            value.describe()
        );
        Diagnostic::new(Code::WrongType, span, message)
            .label(self.show_short(value))
            .origin(self.origin_of(value), self.show_short(value))
    }

    pub(super) fn search_path(&self, code: &'static SearchPath) -> Result<Value> {
        crate::builtins::find_file(self, code.name, code.span)
    }

    /// The value of a required attribute of an argument of a builtin function.
    pub(crate) fn required(&self, attrs: Attrs, name: Symbol, span: Span, whose: &str) -> Result<Value> {
        match attrs.value(name) {
            Some(value) => self.force(value),
            None => {
                let error = self.missing_attribute(attrs, name, span);
                Err(error.label(whose.to_owned()))
            }
        }
    }

    /// The place of an attribute as Nix gives it: a set of file, line and column, or null.
    pub(crate) fn position(&self, pos: Pos) -> Value {
        let source = self.session.sources().find(pos);
        let Some(source) = source.filter(|source| matches!(*source.origin, Origin::File(_))) else {
            return Value::Null;
        };
        let place = source.line_column(pos);
        self.set([
            (names::FILE, self.string(source.name().as_bytes())),
            (names::LINE, Value::Int(i64::from(place.line))),
            (names::COLUMN, Value::Int(i64::from(place.column))),
        ])
    }
}
