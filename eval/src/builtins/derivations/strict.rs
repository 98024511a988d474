//! `derivationStrict`: reads all attributes and makes the derivation.
//!
//! | attribute | becomes |
//! | --- | --- |
//! | `name`, `system`, `builder` | fields, and environment variables |
//! | `args` | the arguments |
//! | `outputs` | the names of the outputs |
//! | `outputHash`, `outputHashAlgo`, `outputHashMode` (`flat`, `tree`, `nar`) | the fixed output |
//! | `root`, `override`, `runtime` | lists of inputs: each element is exactly one store object |
//! | `__structuredAttrs = true` | all variables as JSON in one variable, `__json`, which the build finds as files |
//! | `__ignoreNulls = true` | attributes that are null are left out |
//! | any other | an environment variable; the builder knows `passAsFile` and the lists of what outputs may need |

use super::super::hashes;
use super::{output_name, output_values};
use crate::attrs::Attr;
use crate::attrs::Attrs;
use crate::context::{Context, ContextBuilder, Element};
use crate::diagnostic::{Code, Diagnostic, Result};
use crate::evaluate::{Coercion, Evaluator};
use crate::print::by_name;
use crate::print::json::JsonWriter;
use crate::source::Span;
use crate::symbol::{Symbol, names};
use crate::value::{Text, Value};
use std::collections::{BTreeMap, BTreeSet};
use store::derivation::placeholder;
use store::{
    Derivation, EncodedDerivation, FileHash, FixedOutput, HashAlgorithm, HashMode, Input, OutputName, StoreName,
    StorePath,
};

/// Attributes that are no environment variables.
const NOT_IN_ENV: &[Symbol] = &[
    names::ARGS,
    names::OUTPUTS,
    names::OUTPUT_HASH,
    names::OUTPUT_HASH_ALGO,
    names::OUTPUT_HASH_MODE,
    names::ROOT,
    names::OVERRIDE,
    names::RUNTIME,
    names::STRUCTURED_ATTRS,
    names::IGNORE_NULLS,
];

pub(in crate::builtins) fn derivation_strict(evaluator: &Evaluator<'_>, args: &[Value], span: Span) -> Result<Value> {
    let attrs = evaluator.expect_attrs(args[0], span, "as the argument of `derivationStrict`")?;
    let span = match attrs.get(names::NAME) {
        Some(name) if span.is_none() => evaluator.session.name_span(name.pos),
        _ => span,
    };
    let mut reader = Reader { evaluator, attrs, span, context: ContextBuilder::default(), name: String::new() };
    let named = reader.read_name()?;
    if let Some(known) = evaluator.remembered(attrs, &named) {
        return Ok(result(evaluator, known.path, &known.outputs));
    }
    reader.name = named.to_string();
    let name = reader.name.clone();
    reader.finish(named).map_err(|error| {
        let place = attrs.get(names::NAME).map_or(Span::NONE, |attr| evaluator.session.name_span(attr.pos));
        error.frame(place, format!("while evaluating derivation `{name}`"))
    })
}

struct Reader<'a, 'b> {
    evaluator: &'a Evaluator<'b>,
    attrs: Attrs,
    span: Span,
    /// What builder, arguments and environment mention.
    context: ContextBuilder,
    name: String,
}

impl Reader<'_, '_> {
    fn place(&self, name: Symbol) -> Span {
        let place = self.attrs.get(name).map_or(Span::NONE, |attr| self.evaluator.session.name_span(attr.pos));
        if place.is_none() { self.span } else { place }
    }

    fn error(&self, name: Symbol, message: impl Into<String>) -> Box<Diagnostic> {
        Diagnostic::new(Code::Derivation, self.place(name), message)
    }

    /// The value of an attribute that a derivation must have.
    fn required(&self, name: Symbol) -> Result<Value> {
        match self.attrs.value(name) {
            Some(value) => Ok(value),
            None => {
                let shown = self.evaluator.session.symbols().display(name);
                let of = if self.name.is_empty() { String::new() } else { format!(" `{}`", self.name) };
                Err(self.error(names::NAME, format!("derivation{of} lacks the attribute `{shown}`")))
            }
        }
    }

    fn read_name(&self) -> Result<StoreName> {
        let text = self.evaluator.expect_plain_string(
            self.required(names::NAME)?,
            self.place(names::NAME),
            "as the name of a derivation",
        )?;
        let name = StoreName::parse(&String::from_utf8_lossy(text.bytes()))
            .map_err(|error| self.error(names::NAME, error.to_string()))?;
        if name.is_derivation() {
            return Err(self.error(names::NAME, format!("the name `{name}` of a derivation must not end in `.drv`")));
        }
        Ok(name)
    }

    fn finish(mut self, name: StoreName) -> Result<Value> {
        let system = self.required(names::SYSTEM)?;
        let system =
            self.evaluator.expect_plain_string(system, self.place(names::SYSTEM), "as the system of a derivation")?;
        let system = self.utf8(names::SYSTEM, system.bytes())?;
        let builder = self.required(names::BUILDER)?;
        let builder = self.text(names::BUILDER, builder)?;
        let derivation = Derivation {
            name,
            system,
            builder,
            args: self.args()?,
            env: self.env()?,
            root: self.inputs_of(names::ROOT)?,
            overrides: self.inputs_of(names::OVERRIDE)?,
            runtime: self.inputs_of(names::RUNTIME)?,
            outputs: self.outputs()?,
            fixed: self.fixed()?,
            inputs: BTreeSet::new(),
        };
        let context = std::mem::take(&mut self.context).finish();
        let derivation = Derivation { inputs: self.inputs(context)?, ..derivation };
        derivation.check().map_err(|error| self.error(names::NAME, error.to_string()))?;
        self.add(derivation)
    }

    fn utf8(&self, name: Symbol, bytes: &[u8]) -> Result<String> {
        String::from_utf8(bytes.to_vec()).map_err(|_| {
            let shown = self.evaluator.session.symbols().display(name);
            self.error(name, format!("attribute `{shown}` of derivation `{}` is not UTF-8", self.name))
        })
    }

    /// A value as text of the derivation; what it mentions becomes an input.
    fn text(&mut self, name: Symbol, value: Value) -> Result<String> {
        let text = self.evaluator.coerced(value, Coercion::DERIVATION, Span::NONE).map_err(|error| {
            let (place, shown) = (self.place(name), self.evaluator.session.symbols().display(name));
            error.at(place).frame(place, format!("while evaluating attribute `{shown}` of derivation `{}`", self.name))
        })?;
        self.context.add(text.context());
        self.utf8(name, text.bytes())
    }

    fn args(&mut self) -> Result<Vec<String>> {
        let Some(args) = self.attrs.value(names::ARGS) else { return Ok(Vec::new()) };
        let args = self.evaluator.expect_list(args, self.place(names::ARGS), "as `args` of a derivation")?;
        args.items().iter().map(|arg| self.text(names::ARGS, *arg)).collect()
    }

    fn flag(&self, name: Symbol) -> Result<bool> {
        match self.attrs.value(name) {
            Some(value) => self.evaluator.expect_bool(value, self.place(name), ""),
            None => Ok(false),
        }
    }

    fn env(&mut self) -> Result<BTreeMap<String, String>> {
        let symbols = self.evaluator.session.symbols();
        let mut variables: Vec<&'static Attr> = by_name(self.attrs, symbols);
        variables.retain(|attr| !NOT_IN_ENV.contains(&attr.name));
        if self.flag(names::IGNORE_NULLS)? {
            let mut kept = Vec::new();
            for attr in variables {
                if !matches!(self.evaluator.force(attr.value)?, Value::Null) {
                    kept.push(attr);
                }
            }
            variables = kept;
        }
        if self.flag(names::STRUCTURED_ATTRS)? {
            return self.structured(&variables);
        }
        let mut env = BTreeMap::new();
        for attr in variables {
            let name = self.utf8(attr.name, symbols.bytes(attr.name))?;
            env.insert(name, self.text(attr.name, attr.value)?);
        }
        Ok(env)
    }

    /// All variables in one, as JSON.
    fn structured(&mut self, variables: &[&'static Attr]) -> Result<BTreeMap<String, String>> {
        let mut writer = JsonWriter::new(self.evaluator, self.span);
        writer.object(variables)?;
        let json = String::from_utf8_lossy(&writer.out).into_owned();
        self.context.add(writer.context.finish());
        Ok(BTreeMap::from([("__json".to_owned(), json)]))
    }

    fn outputs(&self) -> Result<BTreeSet<OutputName>> {
        let mut outputs = BTreeSet::new();
        for value in output_values(self.evaluator, self.attrs, self.place(names::OUTPUTS))? {
            let output = output_name(self.evaluator, value, self.place(names::OUTPUTS))?;
            if !outputs.insert(output.clone()) {
                return Err(
                    self.error(names::OUTPUTS, format!("derivation `{}` names the output `{output}` twice", self.name))
                );
            }
        }
        Ok(outputs)
    }

    fn plain(&self, name: Symbol) -> Result<Option<String>> {
        let Some(value) = self.attrs.value(name) else { return Ok(None) };
        let value = self.evaluator.force(value)?;
        if matches!(value, Value::Null) {
            return Ok(None);
        }
        let text = self.evaluator.expect_plain_string(value, self.place(name), "")?;
        self.utf8(name, text.bytes()).map(Some).map(|text| text.filter(|text| !text.is_empty()))
    }

    fn fixed(&self) -> Result<Option<FixedOutput>> {
        let Some(hash) = self.plain(names::OUTPUT_HASH)? else {
            return match [names::OUTPUT_HASH_ALGO, names::OUTPUT_HASH_MODE]
                .into_iter()
                .find(|name| self.attrs.get(*name).is_some())
            {
                Some(name) if self.plain(name)?.is_some() => {
                    let shown = self.evaluator.session.symbols().display(name);
                    Err(self.error(name, format!("derivation `{}` has `{shown}` without `outputHash`", self.name)))
                }
                _ => Ok(None),
            };
        };
        let algorithm = self.plain(names::OUTPUT_HASH_ALGO)?;
        let algorithm = algorithm.map(|name| {
            HashAlgorithm::from_name(&name).ok_or_else(|| {
                self.error(
                    names::OUTPUT_HASH_ALGO,
                    format!("unknown hash algorithm `{name}`: blake3, sha256 and sha512 are known"),
                )
            })
        });
        let algorithm = algorithm.transpose()?.map(HashAlgorithm::name);
        let hash = hashes::canonical(&hash, algorithm, self.place(names::OUTPUT_HASH))?;
        let hash = FileHash::parse(&hash, None).map_err(|error| self.error(names::OUTPUT_HASH, error.to_string()))?;
        let mode = match self.plain(names::OUTPUT_HASH_MODE)?.as_deref() {
            None | Some("flat") => HashMode::File,
            Some("tree") => HashMode::Tree,
            Some("nar" | "recursive") => HashMode::Archive,
            Some(other) => {
                let known = "`flat` (a file), `tree`, and `nar` (or `recursive`) are known";
                let message = format!("unknown `outputHashMode` `{other}`: {known}");
                return Err(self.error(names::OUTPUT_HASH_MODE, message));
            }
        };
        Ok(Some(FixedOutput { mode, hash }))
    }

    /// The elements of `root`, `override` or `runtime`: each is exactly one store object.
    fn inputs_of(&self, name: Symbol) -> Result<Vec<Input>> {
        let Some(list) = self.attrs.value(name) else { return Ok(Vec::new()) };
        let shown = self.evaluator.session.symbols().display(name);
        let list = self.evaluator.expect_list(list, self.place(name), &format!("as `{shown}` of a derivation"))?;
        let mut inputs = Vec::with_capacity(list.items().len());
        for (index, item) in list.items().iter().enumerate() {
            let text = self.evaluator.coerced(*item, Coercion::STRING, self.place(name)).map_err(|error| {
                error.frame(
                    self.place(name),
                    format!("while evaluating element {index} of `{shown}` of derivation `{}`", self.name),
                )
            })?;
            inputs.push(self.single_input(name, index, text)?);
        }
        Ok(inputs)
    }

    fn single_input(&self, name: Symbol, index: usize, text: Text) -> Result<Input> {
        let shown = self.evaluator.session.symbols().display(name);
        let bad = |problem: String| {
            self.error(name, format!("element {index} of `{shown}` of derivation `{}` {problem}", self.name))
                .hint("each element is a package, an output of one, or a path: exactly one store object")
        };
        let written = String::from_utf8_lossy(text.bytes());
        let input = match text.context().map_or(&[][..], Context::elements) {
            [element] => {
                element.input().ok_or_else(|| bad(format!("is the derivation {written} itself, not what it builds")))?
            }
            [] => return Err(bad(format!("is {written:?}, which mentions no store object"))),
            many => return Err(bad(format!("mentions {} store objects in {written:?}", many.len()))),
        };
        if input.mention().as_bytes() == text.bytes() {
            return Ok(input);
        }
        Err(bad(format!("is {written:?}, which is not exactly the store path it mentions")))
    }

    fn inputs(&self, context: Option<&'static Context>) -> Result<BTreeSet<Input>> {
        let elements = context.map_or(&[][..], Context::elements);
        elements
            .iter()
            .map(|element: &Element| {
                element.input().ok_or_else(|| {
                    self.error(names::NAME, format!("derivation `{}` mentions the derivation {element} itself", self.name))
                        .hint("mention its output (`${drv}`), not its `drvPath`; builtins.unsafeDiscardStringContext makes plain text of that")
                })
            })
            .collect()
    }

    /// Hands the derivation over and gives `drvPath` and the placeholder of each output.
    fn add(&self, derivation: Derivation) -> Result<Value> {
        let encoded = EncodedDerivation::new(derivation).map_err(|error| self.error(names::NAME, error.to_string()))?;
        let value = result(self.evaluator, encoded.path().clone(), &encoded.derivation().outputs);
        self.evaluator.add_derivation(encoded, self.span)?;
        Ok(value)
    }
}

/// `drvPath` and the placeholder of each output.
fn result<'o>(evaluator: &Evaluator<'_>, path: StorePath, outputs: impl IntoIterator<Item = &'o OutputName>) -> Value {
    let path: &'static StorePath = Box::leak(Box::new(path));
    let symbols = evaluator.session.symbols();
    let mention = |text: String, element| {
        let mut context = ContextBuilder::default();
        context.add_element(element);
        evaluator.string_with(text.as_bytes(), context.finish())
    };
    let mut fields = vec![(names::DRV_PATH, mention(path.to_string(), Element::Derivation(path)))];
    for output in outputs {
        let output: &'static OutputName = Box::leak(Box::new(output.clone()));
        let text = placeholder(path, output);
        let element = Element::Output { derivation: path, output };
        fields.push((symbols.intern(output.as_str().as_bytes()), mention(text, element)));
    }
    evaluator.set(fields)
}
