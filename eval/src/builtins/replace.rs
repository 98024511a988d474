//! `builtins.replaceStrings`.

use super::{Builtin, row};
use crate::diagnostic::{CallPart, Code, Diagnostic, Result};
use crate::evaluate::{Evaluator, Joined};
use crate::source::Span;
use crate::value::{Text, Value};

pub(super) const TABLE: &[Builtin] = &[row(
    "replaceStrings",
    3,
    "A string with each of a list of texts replaced by its partner in another list.",
    replace,
)];

fn replace(evaluator: &Evaluator<'_>, args: &[Value], span: Span) -> Result<Value> {
    let from = evaluator.expect_list(args[0], span, "as the first argument of `replaceStrings`")?;
    let to = evaluator.expect_list(args[1], span, "as the second argument of `replaceStrings`")?;
    if from.items().len() != to.items().len() {
        let message = format!(
            "the lists given to `replaceStrings` have different lengths: {} and {}",
            from.items().len(),
            to.items().len()
        );
        return Err(Diagnostic::new(Code::BadArgument, span, message).part(CallPart::Argument(1)));
    }
    let from = from.items().iter().map(|item| {
        evaluator.expect_string(*item, span, "in the first list given to `replaceStrings`").map(|text| text.bytes())
    });
    let from = from.collect::<Result<Vec<_>>>()?;
    let text = evaluator.expect_string(args[2], span, "as the third argument of `replaceStrings`")?;
    let mut replacer = Replacer { evaluator, span, from, to: to.items(), joined: evaluator.joined() };
    replacer.joined.add_context(text.context());
    replacer.run(text.bytes())?;
    Ok(replacer.joined.finish(evaluator))
}

/// After so many bytes it is looked whether to go on.
const CHECK_EVERY: usize = 1 << 16;

struct Replacer<'a, 'b> {
    evaluator: &'a Evaluator<'b>,
    span: Span,
    from: Vec<&'static [u8]>,
    to: &'static [Value],
    joined: Joined,
}

impl Replacer<'_, '_> {
    /// Goes through the text once; an empty pattern matches before each byte and at the end.
    fn run(&mut self, text: &[u8]) -> Result<()> {
        // Without an empty pattern, only bytes that begin a pattern need a closer look.
        let mut begins = [false; 256];
        self.from.iter().filter_map(|from| from.first()).for_each(|&byte| begins[usize::from(byte)] = true);
        let any_empty = self.from.iter().any(|from| from.is_empty());
        let (mut at, mut copied, mut checked) = (0, 0, 0);
        while at <= text.len() {
            if at - checked >= CHECK_EVERY {
                self.evaluator.check_stopped(self.span)?;
                checked = at;
            }
            let candidate = any_empty || text.get(at).is_some_and(|&byte| begins[usize::from(byte)]);
            let found = if candidate { self.from.iter().position(|from| text[at..].starts_with(from)) } else { None };
            let Some(index) = found else {
                at += 1;
                continue;
            };
            let to = self.replacement(index)?;
            self.joined.push_bytes(&text[copied..at]);
            self.joined.push_bytes(to.bytes());
            self.joined.add_context(to.context());
            // What an empty pattern matches before is kept.
            copied = at + self.from[index].len();
            at = copied.max(at + 1);
        }
        self.joined.push_bytes(text.get(copied..).unwrap_or_default());
        Ok(())
    }

    fn replacement(&self, index: usize) -> Result<Text> {
        self.evaluator.expect_string(self.to[index], self.span, "in the second list given to `replaceStrings`")
    }
}
