//! Files and the store.

use super::{Builtin, row};
use crate::context::Element;
use crate::core_files;
use crate::diagnostic::{Code, Diagnostic, Result};
use crate::evaluate::{Coercion, Evaluator};
use crate::io::{FileType, FilterError};
use crate::paths;
use crate::session::{Last, path_name};
use crate::source::Span;
use crate::symbol::names;
use crate::value::{Text, Value};
use store::{FileHash, HashAlgorithm, StoreName, StorePath};

pub(super) const TABLE: &[Builtin] = &[
    row("filterSource", 2, "Adds what a predicate takes of a path to the store.", filter_source),
    row("findFile", 2, "Looks a name up in a search path.", find_file_builtin),
    row("getEnv", 1, "A variable of the environment in impure evaluation, else the empty string.", get_env),
    row("path", 1, "Adds a path to the store, with a name and filter.", path),
    row("pathExists", 1, "Whether a path exists.", path_exists),
    row("readDir", 1, "The names in a directory and their types.", read_dir),
    row("readFile", 1, "The content of a file.", read_file),
    row(
        "readFileKind",
        1,
        "What a path leads to: `text`, `binary` (a file with NUL bytes), `directory`, `unknown`, or null for nothing. larder's own.",
        read_file_kind,
    ),
    row("readFileType", 1, "The type of a file.", read_file_type),
    row("storePath", 1, "A store path as a string that mentions it.", store_path),
    row("toFile", 2, "Adds a text to the store under a name.", to_file),
    row("toPath", 1, "An absolute path as a string in canonical form.", to_path),
];

fn read_file(evaluator: &Evaluator<'_>, args: &[Value], span: Span) -> Result<Value> {
    let path = evaluator.coerce_path(args[0], span)?;
    let content = evaluator.read_file(&path, span)?;
    if content.contains(&0) {
        let message = format!("{} has NUL bytes, which a string cannot have", String::from_utf8_lossy(&path));
        return Err(Diagnostic::new(Code::File, span, message));
    }
    Ok(evaluator.string(&content))
}

/// What is wrong with a file is a value, for `tryEval` catches no `readFile` that fails: so who reads many files can go on
/// without one of them.
fn read_file_kind(evaluator: &Evaluator<'_>, args: &[Value], span: Span) -> Result<Value> {
    let path = evaluator.coerce_path(args[0], span)?;
    if evaluator.leads_outside(&path, Last::Followed, span)? {
        return Ok(evaluator.string(b"unknown"));
    }
    if evaluator.file_type(&path, span)?.is_none() {
        return Ok(Value::Null);
    }
    let found = evaluator.followed(&path, span).ok().and_then(|(_, kind)| kind);
    let kind = match found {
        // It may have no end, or let one wait.
        Some(FileType::Other) => "unknown",
        _ => match evaluator.read_file(&path, span) {
            Ok(content) if content.contains(&0) => "binary",
            Ok(_) => "text",
            Err(error) if error.code != Code::File => return Err(error),
            Err(_) if found.is_none() => return Ok(Value::Null),
            Err(_) if found == Some(FileType::Directory) => "directory",
            Err(_) => "unknown",
        },
    };
    Ok(evaluator.string(kind.as_bytes()))
}

fn read_dir(evaluator: &Evaluator<'_>, args: &[Value], span: Span) -> Result<Value> {
    let path = evaluator.coerce_path(args[0], span)?;
    let entries = evaluator.read_dir(&path, span)?;
    let symbols = evaluator.session.symbols();
    Ok(evaluator
        .set(entries.iter().map(|(name, kind)| (symbols.intern(name), evaluator.string(kind.name().as_bytes())))))
}

fn read_file_type(evaluator: &Evaluator<'_>, args: &[Value], span: Span) -> Result<Value> {
    let path = evaluator.coerce_path(args[0], span)?;
    match evaluator.file_type(&path, span)? {
        Some(kind) => Ok(evaluator.string(kind.name().as_bytes())),
        None => Err(Diagnostic::new(Code::File, span, format!("{} does not exist", String::from_utf8_lossy(&path)))),
    }
}

fn path_exists(evaluator: &Evaluator<'_>, args: &[Value], span: Span) -> Result<Value> {
    let value = evaluator.force(args[0])?;
    let slash = matches!(value, Value::String(text) if text.bytes().ends_with(b"/") || text.bytes().ends_with(b"/."));
    let path = evaluator.coerce_path(value, span)?;
    // As in pure evaluation of Nix: who tests for a file expects an answer, and this one tells nothing of what is outside.
    if evaluator.leads_outside(&path, if slash { Last::Followed } else { Last::Kept }, span)? {
        return Ok(Value::Bool(false));
    }
    // Behind a slash is what a link leads to.
    let kind = if slash { evaluator.followed(&path, span)?.1 } else { evaluator.file_type(&path, span)? };
    Ok(Value::Bool(if slash { kind == Some(FileType::Directory) } else { kind.is_some() }))
}

fn to_path(evaluator: &Evaluator<'_>, args: &[Value], span: Span) -> Result<Value> {
    let text = evaluator.coerced(args[0], Coercion::PLAIN, span)?;
    if !text.bytes().starts_with(b"/") {
        let message = format!("`{}` is not an absolute path", String::from_utf8_lossy(text.bytes()));
        return Err(Diagnostic::new(Code::Coercion, span, message));
    }
    Ok(evaluator.string_with(&paths::canonical(text.bytes()), text.context()))
}

/// A store path as a string that mentions it.
fn mention(evaluator: &Evaluator<'_>, path: &'static StorePath) -> Value {
    let mut joined = evaluator.joined();
    joined.push_bytes(path.to_string().as_bytes());
    joined.add_element(Element::Tree(path));
    joined.finish(evaluator)
}

fn to_file(evaluator: &Evaluator<'_>, args: &[Value], span: Span) -> Result<Value> {
    let name = evaluator.expect_plain_string(args[0], span, "as the name given to `toFile`")?;
    let text = evaluator.expect_string(args[1], span, "as the text given to `toFile`")?;
    let elements = text.context().map_or(&[][..], |context| context.elements());
    if let Some(element) = elements.iter().find(|element| !matches!(element, Element::Tree(_))) {
        let message = format!("a file made by `toFile` cannot mention {element}, which is not built yet");
        return Err(Diagnostic::new(Code::Context, span, message).hint("write the file in a derivation instead"));
    }
    let name = path_name(name.bytes(), span)?;
    Ok(mention(evaluator, evaluator.add_text(&name, text.bytes(), span)?))
}

fn store_path(evaluator: &Evaluator<'_>, args: &[Value], span: Span) -> Result<Value> {
    let text = evaluator.coerced(args[0], Coercion::PLAIN, span)?;
    let shown = String::from_utf8_lossy(text.bytes());
    let base = shown.strip_prefix(store::STORE_DIR).and_then(|rest| rest.strip_prefix('/')).unwrap_or(&shown);
    let (base, _) = base.split_once('/').unwrap_or((base, ""));
    let path = StorePath::parse_base_name(base)
        .map_err(|error| Diagnostic::new(Code::BadArgument, span, format!("`{shown}` is not in the store: {error}")))?;
    let mut joined = evaluator.joined();
    joined.push(text);
    joined.add_element(Element::Tree(Box::leak(Box::new(path))));
    Ok(joined.finish(evaluator))
}

/// Adds a path with a filter function; keeps the reason when that fails.
fn add_filtered(
    evaluator: &Evaluator<'_>,
    path: &[u8],
    name: &StoreName,
    filter: Option<Value>,
    span: Span,
) -> Result<&'static StorePath> {
    let Some(filter) = filter else { return evaluator.add_filtered(path, name, None, span) };
    let mut reason = None;
    let mut takes = |path: &std::path::Path, kind: FileType| {
        let result = passes(evaluator, filter, paths::to_bytes(path), kind, span);
        result.map_err(|error| {
            reason = Some(error);
            FilterError
        })
    };
    let added = evaluator.add_filtered(path, name, Some(&mut takes), span);
    match reason {
        Some(reason) => Err(reason),
        None => added,
    }
}

fn filter_source(evaluator: &Evaluator<'_>, args: &[Value], span: Span) -> Result<Value> {
    let filter = evaluator.force(args[0])?;
    let path = evaluator.coerce_path(args[1], span)?;
    let name = path_name(paths::base_name(&path), span)?;
    Ok(mention(evaluator, add_filtered(evaluator, &path, &name, Some(filter), span)?))
}

fn path(evaluator: &Evaluator<'_>, args: &[Value], span: Span) -> Result<Value> {
    let argument = evaluator.expect_attrs(args[0], span, "as the argument of `path`")?;
    let known = [names::PATH, names::NAME, names::FILTER, names::RECURSIVE, names::SHA256];
    if let Some(attr) = argument.all().iter().find(|attr| !known.contains(&attr.name)) {
        let name = evaluator.session.symbols().display(attr.name);
        return Err(Diagnostic::new(Code::UnexpectedArgument, span, format!("`builtins.path` does not take `{name}`")));
    }
    let path = evaluator.required(argument, names::PATH, span, "`builtins.path` needs a `path`")?;
    let path = evaluator.coerce_path(path, span)?;
    let name = match argument.value(names::NAME) {
        Some(name) => path_name(evaluator.expect_plain_string(name, span, "as `name`")?.bytes(), span)?,
        None => path_name(paths::base_name(&path), span)?,
    };
    let filter = argument.value(names::FILTER).map(|filter| evaluator.force(filter)).transpose()?;
    let recursive = match argument.value(names::RECURSIVE) {
        Some(value) => evaluator.expect_bool(value, span, "as `recursive`")?,
        None => true,
    };
    let hash = match argument.value(names::SHA256) {
        Some(hash) => Some(evaluator.expect_plain_string(hash, span, "as `sha256`")?),
        None => None,
    };
    if !recursive {
        check_flat(evaluator, &path, span)?;
    }
    if let Some(hash) = hash {
        check_hash(evaluator, &path, filter, recursive, hash, span)?;
    }
    Ok(mention(evaluator, add_filtered(evaluator, &path, &name, filter, span)?))
}

/// Checks what `recursive = false` promises.
fn check_flat(evaluator: &Evaluator<'_>, path: &[u8], span: Span) -> Result<()> {
    if evaluator.file_type(path, span)? == Some(FileType::Regular) {
        return Ok(());
    }
    let message = format!("{} is not a regular file, as `recursive = false` says", String::from_utf8_lossy(path));
    Err(Diagnostic::new(Code::File, span, message))
}

/// Checks what `sha256` promises: of the file, or of the tree as an archive of Nix.
fn check_hash(
    evaluator: &Evaluator<'_>,
    path: &[u8],
    filter: Option<Value>,
    recursive: bool,
    hash: Text,
    span: Span,
) -> Result<()> {
    let wanted = super::hashes::canonical(&String::from_utf8_lossy(hash.bytes()), Some("sha256"), span)?;
    let found = if recursive {
        let mut takes = |path: &[u8], kind: FileType| match filter {
            Some(filter) => passes(evaluator, filter, path, kind, span),
            None => Ok(true),
        };
        super::nar::hash(evaluator, path, &mut takes, span)?
    } else {
        FileHash::of(HashAlgorithm::Sha256, &evaluator.read_file(path, span)?)
    };
    if found.to_string() == wanted {
        return Ok(());
    }
    let message = format!("{} has the hash {found}, not {wanted}", String::from_utf8_lossy(path));
    Err(Diagnostic::new(Code::File, span, message))
}

/// Whether a filter function takes a path.
fn passes(evaluator: &Evaluator<'_>, filter: Value, path: &[u8], kind: FileType, span: Span) -> Result<bool> {
    let arguments = [evaluator.string(path), evaluator.string(kind.name().as_bytes())];
    let taken = evaluator.call(filter, &arguments, span)?;
    evaluator.expect_bool(taken, span, "as the result of the filter function")
}

fn get_env(evaluator: &Evaluator<'_>, args: &[Value], span: Span) -> Result<Value> {
    let name = evaluator.expect_plain_string(args[0], span, "as the argument of `getEnv`")?;
    let impure = evaluator.session.settings().impure.as_ref();
    let value = impure.and_then(|impure| impure.environment.get(name.bytes()));
    Ok(evaluator.string(value.map_or(b"", Vec::as_slice)))
}

/// `<name>`: the first entry of the search path that has it.
pub(crate) fn find_file(evaluator: &Evaluator<'_>, name: &[u8], span: Span) -> Result<Value> {
    let shown = String::from_utf8_lossy(name);
    let settings = evaluator.session.settings();
    if settings.search_path.is_empty() && settings.impure.is_none() && core_files::path(name).is_none() {
        let message = format!("there is no search path for <{shown}> in pure evaluation");
        return Err(Diagnostic::new(Code::Impure, span, message)
            .hint("write the path, give it with -I, or evaluate with --impure for NIX_PATH"));
    }
    let entries = settings.search_path.iter().map(|(prefix, path)| (prefix.as_slice(), path.as_slice()));
    search(evaluator, entries, name, span)
}

fn search<'a>(
    evaluator: &Evaluator<'_>,
    entries: impl Iterator<Item = (&'a [u8], &'a [u8])>,
    name: &[u8],
    span: Span,
) -> Result<Value> {
    for (prefix, path) in entries {
        let Some(rest) = name.strip_prefix(prefix) else { continue };
        if !(prefix.is_empty() || rest.is_empty() || rest.starts_with(b"/")) {
            continue;
        }
        let candidate = paths::canonical(&[path, b"/", rest].concat());
        if evaluator.file_type(&candidate, span)?.is_some() {
            return Ok(evaluator.path(&candidate));
        }
    }
    if let Some(path) = core_files::path(name) {
        return Ok(evaluator.path(&path));
    }
    let message = format!("file `{}` was not found in the search path", String::from_utf8_lossy(name));
    Err(Diagnostic::new(Code::Thrown, span, message))
}

fn find_file_builtin(evaluator: &Evaluator<'_>, args: &[Value], span: Span) -> Result<Value> {
    let list = evaluator.expect_list(args[0], span, "as the search path given to `findFile`")?;
    let name = evaluator.expect_plain_string(args[1], span, "as the name given to `findFile`")?;
    let mut entries = Vec::new();
    for item in list.items() {
        let entry = evaluator.expect_attrs(*item, span, "in the search path given to `findFile`")?;
        let prefix = match entry.value(names::PREFIX) {
            Some(prefix) => evaluator.expect_plain_string(prefix, span, "as `prefix`")?.bytes(),
            None => b"",
        };
        let path = evaluator.required(entry, names::PATH, span, "an entry of a search path needs it")?;
        entries.push((prefix, evaluator.coerce_path(path, span)?));
    }
    search(evaluator, entries.iter().map(|(prefix, path)| (*prefix, path.as_slice())), name.bytes(), span)
}
