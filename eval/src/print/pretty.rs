//! Values laid out for people, as `nix repl` lays them out: one attribute or element per line, indented, in colour if
//! wished; a set or list with a single plain thing in it stays on one line.
//!
//! Works on a list of what is left to do, so that deep values need no deep stack.

use super::{by_name, float, print_name, print_string};
use crate::attrs::Attrs;
use crate::diagnostic::{Code, Diagnostic, Result};
use crate::evaluate::Evaluator;
use crate::source::Span;
use crate::symbol::{Symbol, names};
use crate::value::{List, Value};
use rustc_hash::FxHashSet;

/// How to lay out a value.
#[derive(Debug, Clone, Copy)]
pub struct Layout {
    /// Show all of the value, not only its outermost level. A string by itself is then shown as it is, without quotes.
    pub deep: bool,
    /// Use ANSI colours.
    pub colour: bool,
}

const NUMBER: &str = "\x1b[36;1m";
const TEXT: &str = "\x1b[35;1m";
const FUNCTION: &str = "\x1b[34;1m";
const PATH: &str = "\x1b[32;1m";
const ERROR: &str = "\x1b[31;1m";
const RESET: &[u8] = b"\x1b[0m";

/// A set or list that is being written.
enum Container {
    Attrs(Attrs),
    List(List),
}

/// What is left to do.
enum Work {
    /// A value at a depth.
    Value(Value, usize),
    /// What stands before an attribute or element of a set or list at a depth.
    Separator {
        depth: usize,
        line: bool,
    },
    Name(Symbol),
    Text(&'static [u8]),
}

struct Painter<'a> {
    evaluator: &'a Evaluator<'a>,
    layout: Layout,
    out: Vec<u8>,
    /// Lists and sets that were shown, or are being shown.
    seen: FxHashSet<usize>,
}

impl Evaluator<'_> {
    /// The value laid out for people.
    ///
    /// # Errors
    /// What evaluation raises; below the outermost value only when all of it is to be shown.
    pub(crate) fn show_laid_out(&self, value: Value, layout: Layout) -> Result<Vec<u8>> {
        let mut painter = Painter { evaluator: self, layout, out: Vec::new(), seen: FxHashSet::default() };
        match self.force(value)? {
            Value::String(text) if layout.deep => painter.out.extend_from_slice(text.bytes()),
            value => painter.run(value)?,
        }
        Ok(painter.out)
    }
}

impl Painter<'_> {
    fn run(&mut self, value: Value) -> Result<()> {
        let mut work = vec![Work::Value(value, 0)];
        while let Some(next) = work.pop() {
            match next {
                Work::Text(text) => self.out.extend_from_slice(text),
                Work::Separator { line: false, .. } => self.out.push(b' '),
                Work::Separator { depth, line: true } => {
                    self.out.push(b'\n');
                    self.out.resize(self.out.len() + 2 * depth, b' ');
                }
                Work::Name(name) => {
                    print_name(self.evaluator.session.symbols().bytes(name), &mut self.out);
                    self.out.extend_from_slice(b" = ");
                }
                Work::Value(value, depth) => {
                    let shown = self.evaluator.force(value).and_then(|value| self.value(value, depth, &mut work));
                    shown.or_else(|error| self.error(error, depth))?;
                }
            }
        }
        Ok(())
    }

    /// An error below the outermost level is shown in the place of the value.
    fn error(&mut self, error: Box<Diagnostic>, depth: usize) -> Result<()> {
        if depth == 0 || self.layout.deep || error.code == Code::Interrupted {
            return Err(error);
        }
        let message = format!("«error: {}»", error.message.replace('\n', " "));
        self.paint(ERROR, |out| out.extend_from_slice(message.as_bytes()));
        Ok(())
    }

    fn value(&mut self, value: Value, depth: usize, work: &mut Vec<Work>) -> Result<()> {
        match value {
            Value::String(text) => self.paint(TEXT, |out| print_string(text.bytes(), out)),
            Value::Path(path) => self.paint(PATH, |out| out.extend_from_slice(path.bytes())),
            Value::List(list) => self.container(&Container::List(list), depth, work)?,
            Value::Attrs(attrs) if self.evaluator.is_derivation(attrs)? => self.derivation(attrs)?,
            Value::Attrs(attrs) => self.container(&Container::Attrs(attrs), depth, work)?,
            Value::Lambda(_) | Value::Builtin(_) | Value::Partial(_) => {
                let text = self.function(value);
                self.paint(FUNCTION, |out| out.extend_from_slice(text.as_bytes()));
            }
            Value::Float(number) => {
                self.paint(NUMBER, |out| out.extend_from_slice(float::general(number).as_bytes()));
            }
            plain => {
                let text = self.evaluator.print(plain);
                self.paint(NUMBER, |out| out.extend_from_slice(&text));
            }
        }
        Ok(())
    }

    fn paint(&mut self, colour: &str, write: impl FnOnce(&mut Vec<u8>)) {
        if self.layout.colour {
            self.out.extend_from_slice(colour.as_bytes());
        }
        write(&mut self.out);
        if self.layout.colour {
            self.out.extend_from_slice(RESET);
        }
    }

    fn function(&self, value: Value) -> String {
        let session = self.evaluator.session;
        match value {
            Value::Builtin(builtin) => format!("«primop {}»", builtin.name),
            Value::Partial(partial) => format!("«partially applied primop {}»", partial.builtin.name),
            Value::Lambda(closure) => {
                let name = closure.lambda.name.map(|name| format!(" {}", session.symbols().display(name)));
                let pos = closure.lambda.span.start;
                let place = session.sources().find(pos).map(|source| {
                    let at = source.line_column(pos);
                    format!(" @ {}:{}:{}", source.name(), at.line, at.column)
                });
                format!("«lambda{}{}»", name.unwrap_or_default(), place.unwrap_or_default())
            }
            other => other.describe().to_owned(),
        }
    }

    fn derivation(&mut self, attrs: Attrs) -> Result<()> {
        let path = match attrs.value(names::DRV_PATH) {
            Some(path) => {
                let path = self.evaluator.expect_string(path, Span::NONE, "as `drvPath`")?;
                format!("«derivation {}»", String::from_utf8_lossy(path.bytes()))
            }
            None => "«derivation»".to_owned(),
        };
        self.paint(PATH, |out| out.extend_from_slice(path.as_bytes()));
        Ok(())
    }

    fn container(&mut self, container: &Container, depth: usize, work: &mut Vec<Work>) -> Result<()> {
        let (opening, closing, address, length) = match container {
            Container::Attrs(attrs) => (b"{", b"}", attrs.identity(), attrs.len()),
            Container::List(list) => (b"[", b"]", list.identity(), list.items().len()),
        };
        if length == 0 {
            self.out.extend_from_slice(&[opening[0], b' ', closing[0]]);
            return Ok(());
        }
        if !self.seen.insert(address) {
            self.paint(TEXT, |out| out.extend_from_slice("«repeated»".as_bytes()));
            return Ok(());
        }
        if depth > 0 && !self.layout.deep {
            self.out.extend_from_slice(&[opening[0], b' ', b'.', b'.', b'.', b' ', closing[0]]);
            return Ok(());
        }
        self.out.push(opening[0]);
        self.members(container, closing, depth, work);
        Ok(())
    }

    /// Puts the members on the list of work, in reverse: what is on top is done next.
    fn members(&self, container: &Container, closing: &'static [u8], depth: usize, work: &mut Vec<Work>) {
        let line = match container {
            Container::Attrs(attrs) => attrs.len() > 1 || self.is_nested(attrs.all()[0].value),
            Container::List(list) => list.items().len() > 1 || self.is_nested(list.items()[0]),
        };
        work.push(Work::Text(closing));
        work.push(Work::Separator { depth, line });
        let before = |work: &mut Vec<Work>| work.push(Work::Separator { depth: depth + 1, line });
        match container {
            Container::Attrs(attrs) => {
                for attr in by_name(*attrs, self.evaluator.session.symbols()).into_iter().rev() {
                    work.extend([Work::Text(b";"), Work::Value(attr.value, depth + 1), Work::Name(attr.name)]);
                    before(work);
                }
            }
            Container::List(list) => {
                for item in list.items().iter().rev() {
                    work.push(Work::Value(*item, depth + 1));
                    before(work);
                }
            }
        }
    }

    /// Whether something is a set or list, so that what holds it takes several lines.
    fn is_nested(&self, value: Value) -> bool {
        matches!(self.evaluator.force(value), Ok(Value::Attrs(_) | Value::List(_)))
    }
}
