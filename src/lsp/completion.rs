//! What may stand where somebody is typing.
//!
//! The text is not complete while one types, so it is analysed with a name put in the place of the cursor: then what
//! stands before it has the form that it will have.

use super::documents::Documents;
use super::found::place;
use super::hover::of_builtin;
use super::symbols;
use eval::analysis::names::static_name;
use eval::analysis::{Attribute, DefinitionKind, File, Place, Value as Known, Values};
use eval::syntax::tree::Element;
use eval::syntax::typed::{AttrPath, HasAttr, Inherit, Lambda, Select};
use eval::syntax::{KEYWORDS, Kind};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

/// A name that no text has.
const MARK: &str = "larder-is-typing-here";

/// The protocol's numbers for kinds of completions.
mod kind {
    pub(super) const FUNCTION: u32 = 3;
    pub(super) const FIELD: u32 = 5;
    pub(super) const VARIABLE: u32 = 6;
    pub(super) const KEYWORD: u32 = 14;
    pub(super) const FILE: u32 = 17;
    pub(super) const FOLDER: u32 = 19;
}

/// Items by label; the first of a label counts.
#[derive(Default)]
struct Items(BTreeMap<String, (u32, String)>);

impl Items {
    fn add(&mut self, label: &str, kind: u32, detail: impl Into<String>) {
        self.0.entry(label.to_owned()).or_insert_with(|| (kind, detail.into()));
    }
}

/// What may stand at an offset of a text.
pub(super) fn completion(documents: &Documents, file: &Arc<File>, offset: usize) -> Value {
    let text = file.text();
    let is_name = |byte: &&u8| byte.is_ascii_alphanumeric() || b"_'-".contains(byte);
    let start = offset - text[..offset].iter().rev().take_while(is_name).count();
    let end = offset + text[offset..].iter().take_while(is_name).count();
    if let Some((start, items)) = files(file, start, offset) {
        return list(documents, file, &(start..offset), items);
    }
    // A number is being typed.
    if text[start..offset].first().is_some_and(u8::is_ascii_digit) {
        return Value::Null;
    }
    let marked = [&text[..start], MARK.as_bytes(), &text[end..]].concat();
    let marked = Arc::new(File::new(file.path.clone(), &marked));
    let Some(token) = marked.parsed.tree().token_at(start).filter(|token| token.text() == MARK.as_bytes()) else {
        return Value::Null;
    };
    let items = token.parent().map_or_else(Items::default, |node| items_at(documents, &marked, node));
    list(documents, file, &(start..end), items)
}

fn list(documents: &Documents, file: &File, range: &Range<usize>, items: Items) -> Value {
    let range = documents.lines(file).range_of(range);
    let one = |(label, (kind, detail)): (String, (u32, String))| json!({ "label": label, "kind": kind, "detail": detail, "textEdit": { "range": range, "newText": label } });
    json!({ "isIncomplete": false, "items": items.0.into_iter().map(one).collect::<Vec<_>>() })
}

/// What may stand in the place of a name that is a part of a node.
fn items_at(documents: &Documents, file: &Arc<File>, node: Element<'_>) -> Items {
    let mut items = Items::default();
    let around = node.parent();
    match node.kind() {
        Kind::Variable => variables(documents, file, node, &mut items),
        Kind::Name => {
            let Some(around) = around else { return items };
            if let Some(inherit) = Inherit::cast(around) {
                match inherit.source() {
                    Some(source) => members(documents, &place(file, source), &[], &mut items),
                    None => variables(documents, file, node, &mut items),
                }
            } else if let Some(path) = AttrPath::cast(around) {
                in_path(documents, file, path, node, &mut items);
            }
        }
        // Of a text with errors nothing better is known.
        Kind::Error | Kind::Root => variables(documents, file, node, &mut items),
        _ => {}
    }
    items
}

/// The variables that are known, builtins, what `with`s have, and keywords.
fn variables(documents: &Documents, file: &Arc<File>, node: Element<'_>, items: &mut Items) {
    let resolution = &file.resolution;
    let scope = resolution.scope_of(node);
    for definition in resolution.visible(scope) {
        let definition = &resolution.definitions()[definition];
        let detail = match definition.kind {
            DefinitionKind::Let => "variable",
            DefinitionKind::Attribute => "attribute",
            _ => "argument",
        };
        items.add(&definition.name, kind::VARIABLE, detail);
    }
    let mut with = resolution.scopes()[scope].with;
    while let Some(number) = with {
        for set in Values::new(documents).with_set(file, number) {
            add_members(documents, &set, items);
        }
        with = resolution.scopes()[number].parent.and_then(|parent| resolution.scopes()[parent].with);
    }
    for name in eval::builtins::global_names() {
        items.add(name, builtin_kind(name), "builtin");
    }
    for word in KEYWORDS {
        items.add(word, kind::KEYWORD, "");
    }
}

fn builtin_kind(name: &str) -> u32 {
    if eval::builtins::all().any(|builtin| builtin.name == name) { kind::FUNCTION } else { kind::VARIABLE }
}

/// A name in an attribute path: of a selection, what may be selected; of a binding in a call, what the function takes.
fn in_path(documents: &Documents, file: &Arc<File>, path: AttrPath<'_>, name: Element<'_>, items: &mut Items) {
    let Some(owner) = path.0.parent() else { return };
    let before: Option<Vec<_>> = path
        .names()
        .take_while(|element| *element != name)
        .map(|element| Some(static_name(element)?.into_owned()))
        .collect();
    let Some(before) = before else { return };
    let subject = Select::cast(owner).and_then(Select::subject).or_else(|| HasAttr::cast(owner)?.subject());
    match subject {
        Some(subject) => members(documents, &place(file, subject), &before, items),
        None if before.is_empty() => arguments(documents, file, owner, items),
        None => {}
    }
}

/// The attributes of what an expression gives, behind a path.
fn members(documents: &Documents, subject: &Place, path: &[String], items: &mut Items) {
    let mut answers = Values::new(documents);
    let mut values = answers.of(subject);
    for name in path {
        values = values.iter().flat_map(|value| answers.select(value, name)).collect();
    }
    values.iter().for_each(|value| add_members(documents, value, items));
}

fn add_members(documents: &Documents, value: &Known, items: &mut Items) {
    if let Known::Builtins = value {
        for name in eval::builtins::member_names() {
            let detail = of_builtin(name).and_then(|text| text.split("\n\n").nth(1).map(str::to_owned));
            items.add(name, builtin_kind(name), detail.unwrap_or_default());
        }
    }
    for attribute in Values::new(documents).attributes(value) {
        let value = Values::expression(&attribute).map(Place::get);
        let is_function = value.is_some_and(|value| value.kind() == Kind::Lambda);
        let kind = if is_function { kind::FUNCTION } else { kind::FIELD };
        items.add(&written(&attribute), kind, detail(value));
    }
}

/// A name as it can be written behind a dot.
fn written(attribute: &Attribute) -> String {
    let plain = eval::analysis::names::is_variable_name(&attribute.name);
    if plain { attribute.name.clone() } else { format!("\"{}\"", attribute.name) }
}

fn detail(value: Option<Element<'_>>) -> &'static str {
    match symbols::kind(value) {
        12 => "function",
        15 => "string",
        16 => "number",
        18 => "list",
        19 => "set",
        1 => "path",
        _ => "",
    }
}

/// The arguments of the function that a set with a binding is given to.
fn arguments(documents: &Documents, file: &Arc<File>, binding: Element<'_>, items: &mut Items) {
    let Some(set) = binding.parent().filter(|set| set.kind() == Kind::AttrSet) else { return };
    let Some(call) = set.parent().filter(|call| call.kind() == Kind::Call) else { return };
    let expressions: Vec<_> = call.expressions().collect();
    let Some(index) = expressions.iter().position(|expression| *expression == set).filter(|&index| index > 0) else {
        return;
    };
    // What the arguments before it leave of the function.
    let mut function = Values::new(documents).function(&place(file, expressions[0]));
    for _ in 1..index {
        let body = function.as_ref().and_then(|found| Some(place(&found.file, Lambda::cast(found.get())?.body()?)));
        function = body.and_then(|body| Values::new(documents).function(&body));
    }
    let Some(function) = function else { return };
    let Some(pattern) = Lambda::cast(function.get()).and_then(Lambda::pattern) else { return };
    for formal in pattern.formals() {
        let default = if formal.default().is_some() { "optional argument" } else { "argument" };
        if let Some(name) = formal.name().and_then(static_name) {
            items.add(&name, kind::FIELD, default);
        }
    }
}

/// The files whose names may end a path, if a path ends at an offset.
fn files(file: &File, name: usize, offset: usize) -> Option<(usize, Items)> {
    let text = file.text();
    let is_path = |byte: &&u8| byte.is_ascii_alphanumeric() || b"/._-+".contains(byte);
    let start = offset - text[..offset].iter().rev().take_while(is_path).count();
    let typed = std::str::from_utf8(&text[start..offset]).ok().filter(|typed| typed.contains('/'))?;
    // In strings and comments there are no paths, and `a/b` is one only if something stands before the slash.
    let token = file.parsed.tree().token_at(start);
    let kinds = [Kind::StringText, Kind::LineComment, Kind::BlockComment, Kind::UriText];
    if token.is_some_and(|token| kinds.contains(&token.kind())) || name < start {
        return None;
    }
    let slash = typed.rfind('/')?;
    let directory = file.path.parent()?.join(Path::new(&typed[..=slash]));
    let mut items = Items::default();
    for entry in std::fs::read_dir(directory).ok()?.flatten() {
        let Ok(name) = entry.file_name().into_string() else { continue };
        if name.starts_with('.') && !typed[slash + 1..].starts_with('.') {
            continue;
        }
        let kind = if entry.path().is_dir() { kind::FOLDER } else { kind::FILE };
        items.add(&name, kind, "");
    }
    Some((start + slash + 1, items))
}
