//! Names that nobody uses, and names that hide others.

use super::edit::{has_comment, replace, with_space};
use super::{Finding, Fix, Linter, Rule};
use crate::analysis::{Definition, DefinitionKind, Target};
use crate::syntax::Kind;

pub(super) fn check(linter: &mut Linter<'_>) {
    let resolution = linter.resolution;
    let mut used: Vec<Vec<usize>> = vec![Vec::new(); resolution.definitions().len()];
    for found in resolution.uses() {
        if let Target::Definition(definition) = found.target {
            used[definition].push(found.element);
        }
    }
    for (definition, uses) in resolution.definitions().iter().zip(&used) {
        if definition.name.starts_with('_') {
            continue;
        }
        if !is_used(linter, definition, uses) {
            unused(linter, definition);
        }
        hiding(linter, definition);
    }
}

/// Whether there is a use outside of the definition's own value. Attributes are there for others.
fn is_used(linter: &Linter<'_>, definition: &Definition, uses: &[usize]) -> bool {
    if definition.kind == DefinitionKind::Attribute {
        return true;
    }
    // In the old form of `let`, `body` is what it gives.
    let opener = linter.element(linter.resolution.scopes()[definition.scope].element);
    if opener.kind() == Kind::LetBody && definition.name == "body" {
        return true;
    }
    if is_taken_whole(linter, definition) {
        return true;
    }
    if definition.kind != DefinitionKind::Let || definition.places.len() > 1 {
        return !uses.is_empty();
    }
    let own = linter.element(definition.element).range();
    uses.iter().any(|&element| {
        let range = linter.element(element).range();
        range.start < own.start || own.end <= range.start
    })
}

/// Whether a name of a set pattern is used through the name of the whole: then the pattern says what may be given.
fn is_taken_whole(linter: &Linter<'_>, definition: &Definition) -> bool {
    if definition.kind != DefinitionKind::Formal {
        return false;
    }
    let siblings = &linter.resolution.scopes()[definition.scope].definitions;
    let whole = |&&number: &&usize| linter.resolution.definitions()[number].kind == DefinitionKind::Whole;
    siblings.iter().find(whole).is_some_and(|&whole| linter.resolution.uses_of(whole).next().is_some())
}

fn unused(linter: &mut Linter<'_>, definition: &Definition) {
    let (name, range) = (&definition.name, definition.places[0].clone());
    let element = linter.element(definition.element);
    linter.report(match definition.kind {
        DefinitionKind::Let | DefinitionKind::Attribute => {
            let whole = with_space(element);
            let removable = !definition.inherited && definition.places.len() == 1 && !has_comment(element, &whole);
            let fix = removable.then(|| Fix::chosen(format!("Remove `{name}`"), vec![replace(whole, "")]));
            Finding::new(Rule::UnusedBinding, range, format!("`{name}` is never used")).label("not used").fix(fix)
        }
        DefinitionKind::Argument => {
            let new = format!("_{name}");
            // The name of an argument can be seen by `builtins.toXML`, so this is not for `--fix`.
            let free = linter.resolution.uses().iter().all(|found| found.name != new);
            let fix =
                free.then(|| Fix::chosen(format!("Rename to `{new}`"), vec![replace(range.clone(), new.clone())]));
            Finding::new(Rule::UnusedArgument, range, format!("the argument `{name}` is never used"))
                .label("not used")
                .hint(format!("call it `_` or `{new}`"))
                .fix(fix)
        }
        DefinitionKind::Formal => {
            Finding::new(Rule::UnusedFormal, range, format!("the argument `{name}` is never used")).label("not used")
        }
        DefinitionKind::Whole => {
            let fix = without_whole(linter, definition);
            Finding::new(Rule::UnusedWhole, range, format!("`{name}`, the name of the whole argument, is never used"))
                .label("not used")
                .fix(fix)
        }
    });
}

/// Removes `@ x` or `x @`.
fn without_whole(linter: &Linter<'_>, definition: &Definition) -> Option<Fix> {
    let pattern = linter.element(definition.element).child(Kind::Pattern)?;
    let (name, at) = (pattern.child(Kind::Name)?, pattern.token("@")?);
    let brace = (pattern.token("{")?, pattern.token("}")?);
    let range = if name.range().start < at.range().start {
        pattern.range().start..brace.0.range().start
    } else {
        brace.1.range().end..pattern.range().end
    };
    let title = format!("Remove `{}`", definition.name);
    (!has_comment(pattern, &range)).then(|| Fix::chosen(title, vec![replace(range, "")]))
}

fn hiding(linter: &mut Linter<'_>, definition: &Definition) {
    let scope = &linter.resolution.scopes()[definition.scope];
    let Some(around) = scope.parent else { return };
    // `inherit x;` repeats a name on purpose; attributes are named for others.
    if definition.inherited || definition.kind == DefinitionKind::Attribute {
        return;
    }
    let (name, range) = (&definition.name, definition.places[0].clone());
    match linter.resolution.resolve(name, around) {
        Target::Definition(number) => {
            let hidden = &linter.resolution.definitions()[number];
            let both = |kind| definition.kind == kind && hidden.kind == kind;
            if both(DefinitionKind::Formal) || hidden.name == "_" {
                return;
            }
            let (message, place) = (format!("`{name}` hides another `{name}`"), hidden.places[0].clone());
            linter.report(
                Finding::new(Rule::Shadowing, range, message)
                    .label("from here on, this one is meant")
                    .also(place, "the other one"),
            );
        }
        Target::Builtin(builtin) if definition.kind != DefinitionKind::Formal => {
            let message = format!("`{name}` hides the builtin `{builtin}`");
            linter.report(Finding::new(Rule::ShadowedBuiltin, range, message).label("give it another name"));
        }
        _ => {}
    }
}
