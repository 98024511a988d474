//! Derivations of a set, member by member, as `nix-instantiate` finds them, each with what it rests on.

use crate::attrs::Attrs;
use crate::diagnostic::Result;
use crate::evaluate::Evaluator;
use crate::evaluate::crew::Wanted;
use crate::interface::DerivationRef;
use crate::print::by_name;
use crate::reads::Read;
use crate::session::{Failure, Session};
use crate::source::Span;
use crate::symbol::names;
use crate::value::Value;

/// What a value is, to who looks for derivations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Member {
    /// Neither a derivation nor a set to look for them in.
    Other,
    /// A derivation.
    Derivation(DerivationRef),
    /// A set to look for them in: the names of its attributes, sorted.
    Set(Vec<Vec<u8>>),
}

impl Session {
    /// What a value is. Any set is one to look for derivations in.
    ///
    /// # Errors
    /// What evaluation raises.
    pub fn member(&self, value: Value) -> std::result::Result<Member, Failure> {
        self.run(|evaluator| evaluator.member(value, true))
    }

    /// What attributes of a set are; the set is found from `value` by the names in `path`. A set among them is one to
    /// look for derivations in if it has `recurseForDerivations = true`. `each` is given them in turn, with what they
    /// rest on besides what `value` rests on.
    ///
    /// # Errors
    /// What evaluation raises; the attributes before have been given by then.
    pub fn members(
        &self,
        value: Value,
        path: &[Vec<u8>],
        attributes: &[Vec<u8>],
        mut each: impl FnMut(&[u8], Member, Read) + Send,
    ) -> std::result::Result<(), Failure> {
        self.run(|evaluator| {
            let (set, above) =
                evaluator.reading(|| path.iter().try_fold(value, |value, name| evaluator.attribute(value, name)))?;
            let symbols = self.symbols();
            if let Value::Attrs(attrs) = set.resolved() {
                let wanted = attributes.iter().filter_map(|name| attrs.value(symbols.find(name)?));
                evaluator.announce(wanted.map(Wanted::Derivations));
            }
            for name in attributes {
                let (member, read) = evaluator.reading(|| evaluator.member(evaluator.attribute(set, name)?, false))?;
                each(name, member, self.reads().set(vec![above, read]));
            }
            Ok(())
        })
    }
}

impl Evaluator<'_> {
    /// What a computation gives, and what that rests on.
    fn reading<T>(&self, compute: impl FnOnce() -> Result<T>) -> Result<(T, Read)> {
        let outer = self.frames().begin();
        match compute() {
            Ok(value) => Ok((value, self.frames().end(outer, self.session.reads()))),
            Err(error) => {
                self.frames().fail(outer);
                Err(error)
            }
        }
    }

    fn attribute(&self, value: Value, name: &[u8]) -> Result<Value> {
        let attrs = self.expect_attrs(value, Span::NONE, "as a set of derivations")?;
        let value = self.required(attrs, self.session.symbols().intern(name), Span::NONE, "in a set of derivations")?;
        self.force(value)
    }

    fn member(&self, value: Value, whole: bool) -> Result<Member> {
        let Value::Attrs(attrs) = self.force(value)? else { return Ok(Member::Other) };
        if self.is_derivation(attrs)? {
            return self.derivation_ref(attrs).map(Member::Derivation);
        }
        if !whole && !self.is_open(attrs)? {
            return Ok(Member::Other);
        }
        let symbols = self.session.symbols();
        let names = by_name(attrs, symbols).into_iter().map(|attr| symbols.bytes(attr.name).to_vec());
        Ok(Member::Set(names.filter(|name| is_plain(name)).collect()))
    }

    pub(crate) fn is_open(&self, attrs: Attrs) -> Result<bool> {
        match attrs.value(names::RECURSE) {
            Some(value) => self.expect_bool(value, Span::NONE, "as `recurseForDerivations`"),
            None => Ok(false),
        }
    }
}

/// Whether a name needs no quotes: others are not looked at.
fn is_plain(name: &[u8]) -> bool {
    let first = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_';
    let later = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-+".contains(byte);
    name.split_first().is_some_and(|(byte, rest)| first(*byte) && rest.iter().all(later))
}
