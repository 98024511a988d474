//! `fetchurl` and `fetchTarball`: derivations that fetch, pinned by a hash. Nothing is fetched until the result is read.

use super::derivations::derivation_strict;
use super::hashes::{self, FILE_HASHES};
use super::{Builtin, row};
use crate::attrs::Attrs;
use crate::diagnostic::{Code, Diagnostic, Result};
use crate::evaluate::Evaluator;
use crate::paths;
use crate::source::Span;
use crate::symbol::names;
use crate::value::Value;

pub(super) const TABLE: &[Builtin] = &[
    row("fetchTarball", 1, "The tree in an archive at a URL, pinned by the tree's hash.", fetch_tarball).forcing(1),
    row("fetchurl", 1, "The file at a URL, pinned by its hash.", fetch_url).forcing(1),
];

/// What is to be fetched.
struct Fetch {
    url: Value,
    name: Option<Value>,
    hash: String,
}

fn fetch_url(evaluator: &Evaluator<'_>, args: &[Value], span: Span) -> Result<Value> {
    let fetch = read_arguments(evaluator, args[0], "fetchurl", span)?;
    let name = match fetch.name {
        Some(name) => name,
        None => file_name(evaluator, fetch.url, span)?,
    };
    build(evaluator, &fetch, name, &[("outputHashMode", "flat")], span)
}

fn fetch_tarball(evaluator: &Evaluator<'_>, args: &[Value], span: Span) -> Result<Value> {
    let fetch = read_arguments(evaluator, args[0], "fetchTarball", span)?;
    let name = fetch.name.unwrap_or_else(|| evaluator.string(b"source"));
    build(evaluator, &fetch, name, &[("outputHashMode", "nar"), ("unpack", "1")], span)
}

/// The output of a derivation that fetches.
fn build(evaluator: &Evaluator<'_>, fetch: &Fetch, name: Value, more: &[(&str, &str)], span: Span) -> Result<Value> {
    let symbols = evaluator.session.symbols();
    let text = |text: &str| evaluator.string(text.as_bytes());
    let system = text(&evaluator.session.settings().system);
    let fixed = [(names::NAME, name), (names::SYSTEM, system), (names::BUILDER, text("builtin:fetch"))];
    let more = more.iter().map(|(name, value)| (*name, text(value)));
    let all = [("urls", fetch.url), ("outputHash", text(&fetch.hash))].into_iter().chain(more);
    let attrs =
        evaluator.set(fixed.into_iter().chain(all.map(|(name, value)| (symbols.intern(name.as_bytes()), value))));
    let outputs = derivation_strict(evaluator, &[attrs], span)?;
    let outputs = evaluator.expect_attrs(outputs, span, "as the outputs of a derivation")?;
    evaluator.required(outputs, names::OUT, span, "a derivation has it")
}

/// The last part of a URL, as a name in the store.
fn file_name(evaluator: &Evaluator<'_>, url: Value, span: Span) -> Result<Value> {
    let url = evaluator.expect_plain_string(url, span, "as `url`")?;
    let last = paths::base_name(url.bytes().split(|byte| matches!(byte, b'?' | b'#')).next().unwrap_or_default());
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-._=".contains(byte);
    let name: Vec<u8> = last.iter().map(|byte| if allowed(byte) { *byte } else { b'-' }).collect();
    Ok(evaluator.string(if name.is_empty() { b"source" } else { &name }))
}

fn read_arguments(evaluator: &Evaluator<'_>, argument: Value, of: &str, span: Span) -> Result<Fetch> {
    let attrs = match evaluator.force(argument)? {
        Value::String(_) => return Err(no_hash(of, span)),
        other => evaluator.expect_attrs(other, span, &format!("as the argument of `{of}`"))?,
    };
    let symbols = evaluator.session.symbols();
    for attr in crate::print::by_name(attrs, symbols) {
        if ![names::URL, names::NAME, names::HASH, names::SHA256].contains(&attr.name) {
            let message = format!("`builtins.{of}` does not take `{}`", symbols.display(attr.name));
            return Err(Diagnostic::new(Code::UnexpectedArgument, span, message));
        }
    }
    let url = evaluator.required(attrs, names::URL, span, "it says what to fetch")?;
    let url = Value::String(evaluator.expect_plain_string(url, span, "as `url`")?);
    let name = attrs.value(names::NAME);
    let name =
        name.map(|name| evaluator.expect_plain_string(name, span, "as `name`").map(Value::String)).transpose()?;
    Ok(Fetch { url, name, hash: read_hash(evaluator, attrs, of, span)? })
}

fn read_hash(evaluator: &Evaluator<'_>, attrs: Attrs, of: &str, span: Span) -> Result<String> {
    let (hash, given) = match (attrs.value(names::SHA256), attrs.value(names::HASH)) {
        (Some(hash), _) => (hash, Some("sha256")),
        (None, Some(hash)) => (hash, None),
        (None, None) => return Err(no_hash(of, span)),
    };
    let text = evaluator.expect_plain_string(hash, span, "as the hash of what is fetched")?;
    if text.bytes().is_empty() {
        return Err(no_hash(of, span));
    }
    hashes::canonical(&String::from_utf8_lossy(text.bytes()), given, span).map_err(|error| error.hint(FILE_HASHES))
}

#[cold]
fn no_hash(of: &str, span: Span) -> Box<Diagnostic> {
    let message = format!("`builtins.{of}` needs a hash: without one, what it fetches could change");
    let hash = if of == "fetchTarball" { "`nix-prefetch-url --unpack`" } else { "`sha256sum`" };
    let hint = format!("write builtins.{of} {{ url = \"…\"; sha256 = \"…\"; }}, with the hash that {hash} prints");
    Diagnostic::new(Code::BadArgument, span, message).hint(hint)
}
