//! Renaming a definition with all its uses, so that every name still means what it meant.
//!
//! Where an `inherit` ties a variable to an attribute of the same name, the attribute keeps its name: `inherit x;`
//! becomes `x = y;`.

use super::names::is_variable_name;
use super::{Definition, DefinitionKind, Resolution, Target, Use};
use crate::lint::{Edit, apply};
use crate::symbol::is_operator;
use crate::syntax::Kind;
use crate::syntax::tree::{Element, Tree};
use crate::syntax::typed::Inherit;
use std::collections::BTreeMap;
use std::ops::Range;

/// Why a definition cannot be renamed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RenameError {
    /// The new name is none.
    #[error("`{0}` is not a name")]
    NotAName(String),
    /// An operator stands for the old or the new name.
    #[error("`{0}` is what an operator means where it is defined")]
    Operator(String),
    /// Others may use the name: callers name the arguments of a pattern, selections the attributes of a set.
    #[error("`{0}` is known outside of this text, where it would keep its name")]
    Interface(String),
    /// Bytes that are not UTF-8 would have to be written elsewhere.
    #[error("what `{name}` is inherited from is not UTF-8")]
    NotText {
        /// The old name.
        name: String,
        /// What it is inherited from.
        place: Range<usize>,
    },
    /// The new name is defined beside the old one.
    #[error("`{name}` is defined there already")]
    Exists {
        /// The new name.
        name: String,
        /// Where it is defined.
        place: Range<usize>,
    },
    /// A use of the old name would mean another definition of the new one.
    #[error("another `{name}` is nearer to a use: it would be meant instead")]
    Captured {
        /// The new name.
        name: String,
        /// Where the use is.
        place: Range<usize>,
    },
    /// A use of the new name would mean the renamed definition.
    #[error("`{name}` is used for something else there: it would mean this definition instead")]
    Captures {
        /// The new name.
        name: String,
        /// Where the use is.
        place: Range<usize>,
    },
}

/// Whether a definition can be renamed, to a name that is free.
///
/// # Errors
/// When an operator means it, or not all of its uses are known.
pub fn renamable(tree: &Tree, resolution: &Resolution, definition: usize) -> Result<(), RenameError> {
    let found = &resolution.definitions()[definition];
    if is_operator(&found.name) {
        return Err(RenameError::Operator(found.name.clone()));
    }
    // In the old form of `let`, `body` is what it gives.
    let opener = tree.nth(resolution.scopes()[found.scope].element).kind();
    let is_known = match found.kind {
        DefinitionKind::Let => opener != Kind::LetBody || found.name != "body",
        DefinitionKind::Argument | DefinitionKind::Whole => true,
        DefinitionKind::Formal | DefinitionKind::Attribute => false,
    };
    if is_known { Ok(()) } else { Err(RenameError::Interface(found.name.clone())) }
}

/// The edits that rename a definition.
///
/// # Errors
/// When the new name is none, not all uses of the old one are known, or some name would mean something else afterwards.
pub fn rename(tree: &Tree, resolution: &Resolution, definition: usize, new: &str) -> Result<Vec<Edit>, RenameError> {
    let old = &resolution.definitions()[definition];
    if !is_variable_name(new) {
        return Err(RenameError::NotAName(new.to_owned()));
    }
    if old.name == new {
        return Ok(Vec::new());
    }
    renamable(tree, resolution, definition)?;
    if is_operator(new) {
        return Err(RenameError::Operator(new.to_owned()));
    }
    check(tree, resolution, definition, new)?;
    let mut inherits = Inherits::default();
    let mut edits: Vec<Edit> = Vec::new();
    for found in resolution.uses_of(definition) {
        let element = tree.nth(found.element);
        match element.parent().filter(|_| found.inherited) {
            Some(inherit) => inherits.take(inherit, found.range.clone(), &old.name, new),
            None => edits.push(replace(found.range.clone(), new)),
        }
    }
    edits.extend(std::mem::take(&mut inherits).edits(tree));
    let own = tree.nth(old.element);
    if own.kind() == Kind::Inherit {
        // `inherit x;` in a `let` becomes `y = x;`, `inherit (e) x;` becomes `y = e.x;`.
        inherits.take(own, old.places[0].clone(), new, &value_of(own, &old.name, &edits)?);
        let own = inherits.edits(tree);
        // An `e` that goes away needs no edits.
        edits.retain(|edit| {
            !own.iter().any(|own| own.range.start <= edit.range.start && edit.range.end <= own.range.end)
        });
        edits.extend(own);
    } else {
        edits.extend(old.places.iter().map(|place| replace(place.clone(), new)));
    }
    edits.sort_by_key(|edit| edit.range.start);
    Ok(edits)
}

fn replace(range: Range<usize>, text: &str) -> Edit {
    Edit { range, text: text.to_owned() }
}

fn check(tree: &Tree, resolution: &Resolution, definition: usize, new: &str) -> Result<(), RenameError> {
    let old: &Definition = &resolution.definitions()[definition];
    let name = || new.to_owned();
    let beside = resolution.scopes()[old.scope].definitions.iter().map(|&number| &resolution.definitions()[number]);
    if let Some(found) = beside.into_iter().find(|found| found.name == new) {
        return Err(RenameError::Exists { name: name(), place: found.places[0].clone() });
    }
    // `inherit x;` becomes a binding, which is looked up in the set or `let` itself.
    let scope = |found: &Use| if found.inherited { resolution.scope_of(tree.nth(found.element)) } else { found.scope };
    let nearer = |found: &&Use| match resolution.resolve(new, scope(found)) {
        Target::Definition(other) => resolution.contains(old.scope, resolution.definitions()[other].scope),
        _ => false,
    };
    if let Some(found) = resolution.uses_of(definition).find(nearer) {
        return Err(RenameError::Captured { name: name(), place: found.range.clone() });
    }
    let captured = |found: &&Use| {
        let outside = match found.target {
            Target::Definition(other) => !resolution.contains(old.scope, resolution.definitions()[other].scope),
            _ => true,
        };
        found.name == new && outside && resolution.contains(old.scope, found.scope)
    };
    match resolution.uses().iter().find(captured) {
        Some(found) => Err(RenameError::Captures { name: name(), place: found.range.clone() }),
        None => Ok(()),
    }
}

/// The value that an `inherit` gives a name, when these edits of the text are made.
fn value_of(inherit: Element<'_>, name: &str, edits: &[Edit]) -> Result<String, RenameError> {
    let Some(source) = Inherit::cast(inherit).and_then(Inherit::source) else { return Ok(name.to_owned()) };
    let range = source.range();
    let within = edits.iter().filter(|edit| range.start <= edit.range.start && edit.range.end <= range.end);
    let moved = |edit: &Edit| replace(edit.range.start - range.start..edit.range.end - range.start, &edit.text);
    let edited = apply(source.text(), &within.map(moved).collect::<Vec<_>>());
    let text =
        String::from_utf8(edited).map_err(|_| RenameError::NotText { name: name.to_owned(), place: range.clone() })?;
    Ok(if source.kind() == Kind::Variable { format!("{text}.{name}") } else { format!("({text}).{name}") })
}

/// Names that leave their `inherit`s, with the bindings that come in their place.
#[derive(Default)]
struct Inherits(BTreeMap<usize, Vec<(Range<usize>, String)>>);

impl Inherits {
    fn take(&mut self, inherit: Element<'_>, place: Range<usize>, name: &str, value: &str) {
        let bindings = self.0.entry(inherit.number()).or_default();
        bindings.push((place, format!("{name} = {value};")));
    }

    fn edits(self, tree: &Tree) -> Vec<Edit> {
        let mut edits = Vec::new();
        for (inherit, bindings) in self.0 {
            let element = tree.nth(inherit);
            let text = bindings.iter().map(|(_, binding)| binding.as_str()).collect::<Vec<_>>().join(" ");
            let names = Inherit::cast(element).map_or(0, |inherit| inherit.names().count());
            if names == bindings.len() {
                edits.push(replace(element.range(), &text));
                continue;
            }
            for (place, _) in &bindings {
                // With the white space before it.
                let before = tree.text()[..place.start].iter().rposition(|byte| !byte.is_ascii_whitespace());
                edits.push(replace(before.map_or(place.start, |last| last + 1)..place.end, ""));
            }
            let end = element.range().end;
            edits.push(replace(end..end, &format!(" {text}")));
        }
        edits
    }
}
