//! `builtins.genericClosure`.

use super::{Builtin, row};
use crate::diagnostic::Result;
use crate::evaluate::Evaluator;
use crate::source::Span;
use crate::symbol::names;
use crate::value::Value;
use rustc_hash::FxHashSet;
use std::cmp::Ordering;

pub(super) const TABLE: &[Builtin] = &[row(
    "genericClosure",
    1,
    "All elements that `operator` leads to from `startSet`, each `key` once.",
    generic_closure,
)
.forcing(1)];

fn generic_closure(evaluator: &Evaluator<'_>, args: &[Value], span: Span) -> Result<Value> {
    let argument = evaluator.expect_attrs(args[0], span, "as the argument of `genericClosure`")?;
    let start = evaluator.required(argument, names::START_SET, span, "`genericClosure` needs it")?;
    let start = evaluator.expect_list(start, span, "as `startSet`")?;
    if start.items().is_empty() {
        return Ok(Value::List(start));
    }
    let operator = evaluator.required(argument, names::OPERATOR, span, "`genericClosure` needs it")?;
    let operator = evaluator.expect_function(operator, span, "as `operator`")?;
    let mut queue: std::collections::VecDeque<Value> = start.items().iter().copied().collect();
    let mut found = Vec::new();
    let mut keys = Keys::default();
    while let Some(item) = queue.pop_front() {
        let attrs = evaluator.expect_attrs(item, span, "in `genericClosure`")?;
        let key = evaluator.required(attrs, names::KEY, span, "elements of `genericClosure` have a `key`")?;
        if !keys.insert(evaluator, key, span)? {
            continue;
        }
        found.push(item);
        let next = evaluator.call(operator, &[item], span)?;
        queue.extend(evaluator.expect_list(next, span, "as the result of `operator`")?.items());
    }
    Ok(evaluator.list(&found))
}

/// Keys that were seen. Integers and strings, the usual keys, are hashed; all others lie in the order of `<`.
#[derive(Default)]
enum Keys {
    #[default]
    None,
    /// A single key, which is compared with nothing.
    One(Value),
    Ints(FxHashSet<i64>),
    Texts(FxHashSet<&'static [u8]>),
    Sorted(Vec<Value>),
}

impl Keys {
    /// Adds a key; false when it is known.
    fn insert(&mut self, evaluator: &Evaluator<'_>, key: Value, span: Span) -> Result<bool> {
        match (&mut *self, key) {
            (Self::None, _) => *self = Self::One(key),
            (Self::One(Value::Int(first)), Value::Int(second)) => {
                let (first, second) = (*first, second);
                *self = Self::Ints(FxHashSet::from_iter([first, second]));
                return Ok(first != second);
            }
            (Self::One(Value::String(first)), Value::String(second)) => {
                let (first, second) = (first.bytes(), second.bytes());
                *self = Self::Texts(FxHashSet::from_iter([first, second]));
                return Ok(first != second);
            }
            (Self::One(first), _) => {
                *self = Self::Sorted(vec![*first]);
                return self.insert_sorted(evaluator, key, span);
            }
            (Self::Ints(known), Value::Int(key)) => return Ok(known.insert(key)),
            (Self::Texts(known), Value::String(key)) => return Ok(known.insert(key.bytes())),
            // A float among integers, or a mistake.
            (Self::Ints(known), _) => {
                let mut sorted: Vec<i64> = known.drain().collect();
                sorted.sort_unstable();
                *self = Self::Sorted(sorted.into_iter().map(Value::Int).collect());
                return self.insert_sorted(evaluator, key, span);
            }
            (Self::Texts(known), _) => {
                let mut sorted: Vec<&[u8]> = known.drain().collect();
                sorted.sort_unstable();
                *self = Self::Sorted(sorted.into_iter().map(|text| evaluator.string(text)).collect());
                return self.insert_sorted(evaluator, key, span);
            }
            (Self::Sorted(_), _) => return self.insert_sorted(evaluator, key, span),
        }
        Ok(true)
    }

    fn insert_sorted(&mut self, evaluator: &Evaluator<'_>, key: Value, span: Span) -> Result<bool> {
        let Self::Sorted(keys) = self else { return Ok(false) };
        let (mut low, mut high) = (0, keys.len());
        while low < high {
            let middle = low + (high - low) / 2;
            match evaluator.compare(keys[middle], key, span)? {
                Ordering::Less => low = middle + 1,
                Ordering::Greater => high = middle,
                Ordering::Equal => return Ok(false),
            }
        }
        keys.insert(low, key);
        Ok(true)
    }
}
