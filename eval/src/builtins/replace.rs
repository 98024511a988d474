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
    let patterns = Patterns::new(from.collect::<Result<_>>()?);
    let text = evaluator.expect_string(args[2], span, "as the third argument of `replaceStrings`")?;
    let mut replacer =
        Replacer { evaluator, span, patterns: &patterns, to: to.items(), joined: evaluator.joined(), work: 0 };
    replacer.joined.add_context(text.context());
    replacer.run(text.bytes())?;
    Ok(replacer.joined.finish(evaluator))
}

/// What is looked for.
struct Patterns {
    texts: Vec<&'static [u8]>,
    /// For each byte those that can match where it stands, in order.
    before: Vec<Vec<usize>>,
    /// The first empty one.
    empty: Option<usize>,
}

impl Patterns {
    fn new(texts: Vec<&'static [u8]>) -> Self {
        let mut before = vec![Vec::new(); 256];
        let empty = texts.iter().position(|text| text.is_empty());
        // It matches everywhere: nothing behind it is the first to match.
        let reachable = empty.unwrap_or(texts.len());
        for (index, text) in texts[..reachable].iter().enumerate() {
            before[usize::from(text[0])].push(index);
        }
        before.iter_mut().for_each(|indices| indices.extend(empty));
        Self { texts, before, empty }
    }

    /// Those that can match at the start of a text, in order.
    fn candidates(&self, text: &[u8]) -> &[usize] {
        text.first().map_or(self.empty.as_slice(), |&byte| &self.before[usize::from(byte)])
    }
}

/// After so many bytes that were looked at, of the text and of patterns, it is looked whether to go on.
const CHECK_EVERY: usize = 1 << 16;

struct Replacer<'a, 'b> {
    evaluator: &'a Evaluator<'b>,
    span: Span,
    patterns: &'a Patterns,
    to: &'static [Value],
    joined: Joined,
    /// Bytes that were looked at since the last check.
    work: usize,
}

impl Replacer<'_, '_> {
    /// Goes through the text once; an empty pattern matches before each byte and at the end.
    fn run(&mut self, text: &[u8]) -> Result<()> {
        let (mut at, mut copied) = (0, 0);
        while at <= text.len() {
            let Some(index) = self.find(&text[at..])? else {
                at += 1;
                continue;
            };
            let to = self.replacement(index)?;
            self.joined.push_bytes(&text[copied..at]);
            self.joined.push_bytes(to.bytes());
            self.joined.add_context(to.context());
            // What an empty pattern matches before is kept.
            copied = at + self.patterns.texts[index].len();
            at = copied.max(at + 1);
        }
        self.joined.push_bytes(text.get(copied..).unwrap_or_default());
        Ok(())
    }

    /// The first pattern that a text starts with.
    fn find(&mut self, text: &[u8]) -> Result<Option<usize>> {
        self.looked_at(1)?;
        for &index in self.patterns.candidates(text) {
            let pattern = self.patterns.texts[index];
            self.looked_at(pattern.len())?;
            if text.starts_with(pattern) {
                return Ok(Some(index));
            }
        }
        Ok(None)
    }

    #[inline]
    fn looked_at(&mut self, bytes: usize) -> Result<()> {
        self.work += bytes;
        if self.work < CHECK_EVERY {
            return Ok(());
        }
        self.work = 0;
        self.evaluator.check_stopped(self.span)
    }

    fn replacement(&self, index: usize) -> Result<Text> {
        self.evaluator.expect_string(self.to[index], self.span, "in the second list given to `replaceStrings`")
    }
}
