//! Names as they are written: plain, as strings without interpolations, or as `${"such strings"}`.

use crate::syntax::typed::{AttrPath, Binding, Enclosed};
use crate::syntax::{Kind, is_identifier, is_keyword, literal_string, tree::Element};
use std::borrow::Cow;

/// The name that an attribute name, a variable or a formal's name spells; `None` when it is computed.
#[must_use]
pub fn static_name<'t>(element: Element<'t>) -> Option<Cow<'t, str>> {
    match element.kind() {
        Kind::Name | Kind::Variable => as_text(element.text()),
        Kind::String => string(element.text()),
        Kind::Interpolation => literal_name(element),
        _ => None,
    }
}

fn as_text(bytes: &[u8]) -> Option<Cow<'_, str>> {
    std::str::from_utf8(bytes).ok().map(Cow::Borrowed)
}

/// The name that `${"name"}` spells; parentheses change nothing.
fn literal_name<'t>(interpolation: Element<'t>) -> Option<Cow<'t, str>> {
    let mut literal = interpolation;
    while let Some(outer) = Enclosed::cast(literal) {
        literal = outer.inner()?;
    }
    match literal.kind() {
        Kind::String => string(literal.text()),
        Kind::IndentedString => plain_indented(literal.text()).and_then(as_text),
        _ => None,
    }
}

/// What a string means, if nothing in it is computed.
fn string(text: &[u8]) -> Option<Cow<'_, str>> {
    let inside = text.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    let means_itself = |byte: &u8| !matches!(byte, b'\\' | b'$' | b'\r');
    if inside.iter().all(means_itself) {
        return as_text(inside);
    }
    String::from_utf8(literal_string(text)?).ok().map(Cow::Owned)
}

/// What is in an indented string, if it means what is written: nothing of it is indentation.
fn plain_indented(text: &[u8]) -> Option<&[u8]> {
    let inside = text.strip_prefix(b"''")?.strip_suffix(b"''")?;
    let means_itself = |&byte: &u8| byte.is_ascii_graphic() && !matches!(byte, b'\'' | b'$');
    inside.iter().all(means_itself).then_some(inside)
}

/// The names of an attribute path; `None` for those that are computed.
pub fn path_names<'t>(path: AttrPath<'t>) -> impl Iterator<Item = Option<Cow<'t, str>>> {
    path.names().map(static_name)
}

/// The only name of a binding `a = …`.
#[must_use]
pub fn single_name<'t>(binding: Binding<'t>) -> Option<(Element<'t>, Cow<'t, str>)> {
    let mut names = binding.path()?.names();
    let name = names.next().filter(|_| names.next().is_none())?;
    Some((name, static_name(name)?))
}

/// Whether a text can be a variable.
#[must_use]
pub fn is_variable_name(text: &str) -> bool {
    is_identifier(text.as_bytes()) && !is_keyword(text.as_bytes()) && text != "or"
}
