//! String contexts.

use super::{Builtin, row};
use crate::context::{Context, ContextBuilder, Element};
use crate::diagnostic::{Code, Diagnostic, Result};
use crate::evaluate::Evaluator;
use crate::source::Span;
use crate::symbol::names;
use crate::value::{Text, Value};
use std::collections::BTreeMap;
use store::{OutputName, StorePath};

pub(super) const TABLE: &[Builtin] = &[
    row("addDrvOutputDependencies", 1, "A string that mentions a derivation, with all its outputs.", add_outputs),
    row("appendContext", 2, "A string with more context, in the form that `getContext` gives.", append_context),
    row("getContext", 1, "What a string mentions, as a set by store path.", get_context),
    row("hasContext", 1, "Whether a string mentions store objects.", has_context),
    row(
        "unsafeDiscardOutputDependency",
        1,
        "A string that mentions a derivation, without its outputs.",
        discard_outputs,
    ),
    row("unsafeDiscardStringContext", 1, "A string without its context.", discard_context),
];

/// A string whose mentions of derivations are made anew.
fn with_elements(evaluator: &Evaluator<'_>, text: Text, change: impl Fn(Element) -> Element) -> Value {
    let mut context = ContextBuilder::default();
    let elements = text.context().map_or(&[][..], Context::elements);
    elements.iter().for_each(|element| context.add_element(change(*element)));
    Value::String(Text::with_context(evaluator.bump(), text.bytes(), context.finish()))
}

fn discard_outputs(evaluator: &Evaluator<'_>, args: &[Value], span: Span) -> Result<Value> {
    let text = evaluator.coerced(args[0], crate::evaluate::Coercion::STRING, span)?;
    Ok(with_elements(evaluator, text, |element| match element {
        Element::Derivation(path) => Element::DerivationAlone(path),
        other => other,
    }))
}

fn add_outputs(evaluator: &Evaluator<'_>, args: &[Value], span: Span) -> Result<Value> {
    let text = evaluator.coerced(args[0], crate::evaluate::Coercion::STRING, span)?;
    let shown = String::from_utf8_lossy(text.bytes());
    let problem = match text.context().map_or(&[][..], Context::elements) {
        [Element::Derivation(_)] => return Ok(Value::String(text)),
        [Element::DerivationAlone(path)] => {
            return Ok(with_elements(evaluator, text, |_| Element::Derivation(path)));
        }
        [Element::Output { output, .. }] => {
            format!("mentions the output `{output}` of a derivation, not the derivation")
        }
        [Element::Tree(path)] => format!("mentions {path}, which is not a derivation"),
        many => format!("must mention exactly one store object, but mentions {}", many.len()),
    };
    Err(Diagnostic::new(Code::Context, span, format!("the string `{shown}` {problem}")))
}

fn has_context(evaluator: &Evaluator<'_>, args: &[Value], span: Span) -> Result<Value> {
    let text = evaluator.expect_string(args[0], span, "as the argument of `hasContext`")?;
    Ok(Value::Bool(text.context().is_some()))
}

fn discard_context(evaluator: &Evaluator<'_>, args: &[Value], span: Span) -> Result<Value> {
    let text = evaluator.coerced(args[0], crate::evaluate::Coercion::STRING, span)?;
    if text.context().is_none() {
        return Ok(Value::String(text));
    }
    Ok(Value::String(Text::plain(evaluator.bump(), text.bytes())))
}

/// What a string mentions of one store path.
#[derive(Default)]
struct Mention {
    path: bool,
    all_outputs: bool,
    outputs: Vec<&'static OutputName>,
}

fn get_context(evaluator: &Evaluator<'_>, args: &[Value], span: Span) -> Result<Value> {
    let text = evaluator.expect_string(args[0], span, "as the argument of `getContext`")?;
    let mut mentions: BTreeMap<&StorePath, Mention> = BTreeMap::new();
    for element in text.context().map_or(&[][..], Context::elements) {
        match element {
            Element::Tree(path) | Element::DerivationAlone(path) => mentions.entry(path).or_default().path = true,
            Element::Derivation(path) => mentions.entry(path).or_default().all_outputs = true,
            Element::Output { derivation, output } => mentions.entry(derivation).or_default().outputs.push(output),
        }
    }
    let symbols = evaluator.session.symbols();
    let entry = |(path, mention): (&StorePath, Mention)| {
        let mut fields = Vec::new();
        if mention.path {
            fields.push((names::PATH, Value::Bool(true)));
        }
        if mention.all_outputs {
            fields.push((names::ALL_OUTPUTS, Value::Bool(true)));
        }
        if !mention.outputs.is_empty() {
            let outputs: Vec<_> =
                mention.outputs.iter().map(|name| evaluator.string(name.as_str().as_bytes())).collect();
            fields.push((names::OUTPUTS, evaluator.list(&outputs)));
        }
        (symbols.intern(path.to_string().as_bytes()), evaluator.set(fields))
    };
    Ok(evaluator.set(mentions.into_iter().map(entry)))
}

fn append_context(evaluator: &Evaluator<'_>, args: &[Value], span: Span) -> Result<Value> {
    let text = evaluator.expect_string(args[0], span, "as the first argument of `appendContext`")?;
    let more = evaluator.expect_attrs(args[1], span, "as the second argument of `appendContext`")?;
    let mut context = ContextBuilder::default();
    context.add(text.context());
    for attr in crate::print::by_name(more, evaluator.session.symbols()) {
        let name = evaluator.session.symbols().display(attr.name);
        let path: StorePath = name.parse().map_err(|error: store::store_path::ParseStorePathError| {
            Diagnostic::new(Code::Context, span, format!("context key: {error}"))
        })?;
        let path: &'static StorePath = Box::leak(Box::new(path));
        let fields = evaluator.expect_attrs(attr.value, span, "as the context of a store path")?;
        if let Some(flag) = fields.value(names::PATH)
            && evaluator.expect_bool(flag, span, "as `path`")?
        {
            context.add_element(match path.derivation() {
                Some(_) => Element::DerivationAlone(path),
                None => Element::Tree(path),
            });
        }
        if let Some(flag) = fields.value(names::ALL_OUTPUTS)
            && evaluator.expect_bool(flag, span, "as `allOutputs`")?
        {
            context.add_element(Element::Derivation(derivation(path, span)?));
        }
        if let Some(outputs) = fields.value(names::OUTPUTS) {
            for output in evaluator.expect_list(outputs, span, "as `outputs`")?.items() {
                let output = super::derivations::output_name(evaluator, *output, span)?;
                let output: &'static OutputName = Box::leak(Box::new(output));
                context.add_element(Element::Output { derivation: derivation(path, span)?, output });
            }
        }
    }
    Ok(Value::String(Text::with_context(evaluator.bump(), text.bytes(), context.finish())))
}

fn derivation(path: &'static StorePath, span: Span) -> Result<&'static StorePath> {
    if path.derivation().is_some() {
        return Ok(path);
    }
    Err(Diagnostic::new(Code::Context, span, format!("{path} is not a derivation, so it has no outputs")))
}
