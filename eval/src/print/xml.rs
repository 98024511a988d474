//! Values as XML, in the form of `builtins.toXML` and `nix-instantiate --xml`.

use super::{by_name, float};
use crate::attrs::Attrs;
use crate::code::Parameters;
use crate::context::ContextBuilder;
use crate::diagnostic::{Code, Diagnostic, Result};
use crate::evaluate::Evaluator;
use crate::source::{Origin, Pos, Span, behind_blank};
use crate::symbol::names;
use crate::value::{Closure, Value};
use rustc_hash::FxHashSet;

/// Writes XML and collects the contexts of the strings in it.
#[derive(Debug)]
pub(crate) struct XmlWriter<'a, 'b> {
    evaluator: &'a Evaluator<'b>,
    pub(crate) out: String,
    pub(crate) context: ContextBuilder,
    seen: FxHashSet<String>,
    /// Whether values are forced; otherwise what is not computed is `<unevaluated />`.
    strict: bool,
    /// Whether places are written.
    places: bool,
    depth: usize,
    span: Span,
}

/// How deeply elements nest: each line is indented as deeply, so that the text grows with the square of it.
const MAX_DEPTH: usize = 10_000;

impl<'a, 'b> XmlWriter<'a, 'b> {
    pub(crate) fn new(evaluator: &'a Evaluator<'b>, strict: bool, places: bool, span: Span) -> Self {
        let (out, context) = (String::new(), ContextBuilder::default());
        Self { evaluator, out, context, seen: FxHashSet::default(), strict, places, depth: 0, span }
    }

    /// Writes a whole document.
    pub(crate) fn document(&mut self, value: Value) -> Result<()> {
        self.out.push_str("<?xml version='1.0' encoding='utf-8'?>\n");
        self.element("expr", &[], |writer| writer.value(value))
    }

    fn indent(&mut self) {
        self.out.push_str(&"  ".repeat(self.depth));
    }

    fn tag(&mut self, name: &str, attributes: &[(&str, String)]) {
        self.indent();
        self.out.push('<');
        self.out.push_str(name);
        let mut attributes: Vec<_> = attributes.iter().collect();
        attributes.sort_unstable_by_key(|(key, _)| *key);
        for (key, value) in attributes {
            self.out.push_str(&format!(" {key}=\"{}\"", escape(value)));
        }
    }

    fn empty(&mut self, name: &str, attributes: &[(&str, String)]) {
        self.tag(name, attributes);
        self.out.push_str(" />\n");
    }

    fn element(
        &mut self,
        name: &str,
        attributes: &[(&str, String)],
        inner: impl FnOnce(&mut Self) -> Result<()>,
    ) -> Result<()> {
        self.tag(name, attributes);
        self.out.push_str(">\n");
        self.depth += 1;
        inner(self)?;
        self.depth -= 1;
        self.indent();
        self.out.push_str(&format!("</{name}>\n"));
        Ok(())
    }

    fn scalar(&mut self, name: &str, value: impl ToString) {
        self.empty(name, &[("value", value.to_string())]);
    }

    fn value(&mut self, value: Value) -> Result<()> {
        self.evaluator.check_stack(self.span)?;
        if self.depth > MAX_DEPTH {
            let message = format!("the value nests more than {MAX_DEPTH} levels deep, which is too much for XML");
            return Err(Diagnostic::new(Code::TooManyCalls, self.span, message).hint("does it contain itself?"));
        }
        self.evaluator.check_room(self.out.len(), self.span)?;
        let value = if self.strict { self.evaluator.force(value)? } else { value.resolved() };
        match value {
            Value::Null => self.empty("null", &[]),
            Value::Bool(value) => self.scalar("bool", value),
            Value::Int(number) => self.scalar("int", number),
            Value::Float(number) => self.scalar("float", float::general(number)),
            Value::String(text) => {
                self.context.add(text.context());
                self.scalar("string", String::from_utf8_lossy(text.bytes()));
            }
            Value::Path(path) => self.scalar("path", String::from_utf8_lossy(path.bytes())),
            Value::List(list) => {
                return self
                    .element("list", &[], |writer| list.items().iter().try_for_each(|item| writer.value(*item)));
            }
            Value::Attrs(attrs) if self.evaluator.is_derivation(attrs)? => return self.derivation(attrs),
            Value::Attrs(attrs) => return self.element("attrs", &[], |writer| writer.attrs(attrs)),
            Value::Lambda(closure) => return self.function(closure),
            Value::Builtin(builtin) if builtin.name == "derivation" => {
                let attributes = [("ellipsis", "1".to_owned()), ("name", "drvAttrs".to_owned())];
                return self.element("function", &[], |writer| {
                    writer.element("attrspat", &attributes, |writer| {
                        writer.empty("attr", &[("name", "outputs".to_owned())]);
                        Ok(())
                    })
                });
            }
            Value::Builtin(_) | Value::Partial(_) => self.empty("unevaluated", &[]),
            Value::Thunk(_) => self.empty("unevaluated", &[]),
        }
        Ok(())
    }

    fn place(&self, pos: Pos) -> Vec<(&'static str, String)> {
        let source = self.evaluator.session.sources().find(pos).filter(|_| self.places);
        source.map_or(Vec::new(), |source| {
            let at = source.line_column(pos);
            let mut place = vec![("line", at.line.to_string()), ("column", at.column.to_string())];
            if let Origin::File(_) = *source.origin {
                place.push(("path", source.name()));
            }
            place
        })
    }

    fn attrs(&mut self, attrs: Attrs) -> Result<()> {
        for attr in by_name(attrs, self.evaluator.session.symbols()) {
            let mut attributes = vec![("name", self.evaluator.session.symbols().display(attr.name))];
            attributes.extend(self.place(attr.pos));
            self.element("attr", &attributes, |writer| writer.value(attr.value))?;
        }
        Ok(())
    }

    fn derivation(&mut self, attrs: Attrs) -> Result<()> {
        let mut attributes = Vec::new();
        let mut path = None;
        for (key, name) in [("drvPath", names::DRV_PATH), ("outPath", names::OUT_PATH)] {
            let Some(value) = attrs.value(name) else { continue };
            let value = if self.strict { self.evaluator.force(value)? } else { value.resolved() };
            if let Value::String(text) = value {
                attributes.push((key, String::from_utf8_lossy(text.bytes()).into_owned()));
                if name == names::DRV_PATH {
                    path = Some(text.bytes());
                }
            }
        }
        // As in Nix, one without `drvPath` counts as known.
        let first = path.is_some_and(|path| self.seen.insert(String::from_utf8_lossy(path).into_owned()));
        self.element("derivation", &attributes, |writer| {
            if first {
                writer.attrs(attrs)
            } else {
                writer.empty("repeated", &[]);
                Ok(())
            }
        })
    }

    fn function(&mut self, closure: &Closure) -> Result<()> {
        let symbols = self.evaluator.session.symbols();
        let place = self.place(closure.lambda.start);
        self.element("function", &place, |writer| {
            match &closure.lambda.parameters {
                Parameters::Set(formals) => {
                    let mut attributes = Vec::new();
                    if formals.open {
                        attributes.push(("ellipsis", "1".to_owned()));
                    }
                    attributes.extend(formals.whole_name.map(|name| ("name", symbols.display(name))));
                    let mut names: Vec<_> = formals.formals.iter().map(|formal| symbols.display(formal.name)).collect();
                    names.sort_unstable();
                    return writer.element("attrspat", &attributes, |writer| {
                        names.into_iter().for_each(|name| writer.empty("attr", &[("name", name)]));
                        Ok(())
                    });
                }
                Parameters::Names(_) => {
                    let name = parameter(writer.evaluator, closure).map_or(String::new(), |(_, name)| name);
                    writer.empty("varpat", &[("name", name)]);
                }
            }
            Ok(())
        })
    }
}

/// Place and name of the parameter that a function `a: b: …` takes next; of a set pattern, just the place.
pub(super) fn parameter(evaluator: &Evaluator<'_>, closure: &Closure) -> Option<(Pos, String)> {
    let source = evaluator.session.sources().find(closure.lambda.start)?;
    let mut rest = &source.text[source.offset(closure.lambda.start)..];
    for _ in 0..closure.applied.len() {
        let colon = rest.iter().position(|byte| *byte == b':').map_or(rest.len(), |at| at + 1);
        rest = behind_blank(&rest[colon..]);
    }
    let name = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'\'');
    let start = source.text.len() - rest.len();
    let name = String::from_utf8_lossy(&rest[..rest.iter().take_while(name).count()]).into_owned();
    Some((source.span(start, start).start, name))
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '"' => escaped.push_str("&quot;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '\n' => escaped.push_str("&#xA;"),
            other => escaped.push(other),
        }
    }
    escaped
}
