//! Names as they are written: plain, or as strings without escapes and interpolations.

use crate::syntax::typed::{AttrPath, Binding};
use crate::syntax::{Kind, is_identifier, is_keyword, tree::Element};

/// The name that an attribute name, a variable or a formal's name spells; `None` when it is computed, or has escapes.
#[must_use]
pub fn static_name<'t>(element: Element<'t>) -> Option<&'t str> {
    let text = match element.kind() {
        Kind::Name | Kind::Variable => element.text(),
        Kind::String => {
            let inside = element.text().strip_prefix(b"\"")?.strip_suffix(b"\"")?;
            if inside.contains(&b'\\') || inside.contains(&b'$') {
                return None;
            }
            inside
        }
        _ => return None,
    };
    std::str::from_utf8(text).ok()
}

/// The names of an attribute path; `None` for those that are computed.
pub fn path_names<'t>(path: AttrPath<'t>) -> impl Iterator<Item = Option<&'t str>> {
    path.names().map(static_name)
}

/// The only name of a binding `a = …`.
#[must_use]
pub fn single_name<'t>(binding: Binding<'t>) -> Option<(Element<'t>, &'t str)> {
    let mut names = binding.path()?.names();
    let name = names.next().filter(|_| names.next().is_none())?;
    Some((name, static_name(name)?))
}

/// Whether a text can be a variable.
#[must_use]
pub fn is_variable_name(text: &str) -> bool {
    is_identifier(text.as_bytes()) && !is_keyword(text.as_bytes()) && text != "or"
}
