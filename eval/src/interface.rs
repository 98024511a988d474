//! What a command line does with a session: evaluate, select, print, find derivations.

use crate::attrs::Attrs;
use crate::code::Parameters;
use crate::context::Element;
use crate::diagnostic::{Code, Diagnostic, Result};
use crate::evaluate::crew::Wanted;
use crate::evaluate::{Coercion, Evaluator};
use crate::print::{by_name, json::JsonWriter, xml::XmlWriter};
use crate::session::{Failure, Session};
use crate::source::{Origin, Span};
use crate::symbol::{Symbol, names};
use crate::value::Value;
use std::path::Path;
use store::{OutputName, StorePath};

/// An argument from the command line, for a function that takes a set.
#[derive(Debug, Clone)]
pub enum Argument {
    /// An expression; its paths are relative to the given directory.
    Expr(String),
    /// A string.
    String(String),
}

/// Arguments for functions that take a set, by name.
#[derive(Debug, Default)]
pub struct Arguments(Vec<(Symbol, Value)>);

/// A derivation that a value stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DerivationRef {
    /// The derivation.
    pub path: StorePath,
    /// The output that the value stands for.
    pub output: OutputName,
    /// The names of all outputs, the first one being the default.
    pub outputs: Vec<OutputName>,
}

impl Session {
    /// The value of a file, or of the `default.nix` of a directory.
    ///
    /// # Errors
    /// Whatever is wrong with the text, and what evaluation raises.
    pub fn eval_file(&self, path: &Path) -> std::result::Result<Value, Failure> {
        self.run(|evaluator| {
            let file = evaluator.resolve_import(crate::paths::to_bytes(path), Span::NONE)?;
            self.begin_with_file(crate::paths::from_bytes(&file));
            self.import(evaluator, &file, Span::NONE)
        })
    }

    /// The value of an expression; relative paths are relative to the directory.
    ///
    /// # Errors
    /// Whatever is wrong with the text, and what evaluation raises.
    pub fn eval_expr(&self, text: &[u8], directory: &Path) -> std::result::Result<Value, Failure> {
        self.run(|evaluator| self.eval_text(evaluator, Origin::Text("(expression)".to_owned()), text, directory))
    }

    /// Arguments for [`Self::auto_call`] and [`Self::select`]; expressions are evaluated when they are needed.
    ///
    /// # Errors
    /// What is wrong with the text of an expression.
    pub fn arguments(
        &self,
        arguments: &[(String, Argument)],
        directory: &Path,
    ) -> std::result::Result<Arguments, Failure> {
        self.run(|evaluator| {
            let value = |(name, argument): &(String, Argument)| {
                let value = match argument {
                    Argument::String(text) => evaluator.string(text.as_bytes()),
                    Argument::Expr(text) => {
                        let origin = Origin::Text(format!("(argument {name})"));
                        self.delay_text(evaluator, origin, text.as_bytes(), directory)?
                    }
                };
                Ok((self.symbols().intern(name.as_bytes()), value))
            };
            arguments.iter().map(value).collect::<Result<_>>().map(Arguments)
        })
    }

    /// Calls a function that takes a set with those of the arguments that it names (with all, if it takes any), as
    /// `nix-instantiate` does with `--arg`. Without arguments, a function whose arguments all have defaults is called
    /// with `{ }`. Any other value is given back.
    ///
    /// # Errors
    /// When an argument is missing, and what evaluation raises.
    pub fn auto_call(&self, value: Value, arguments: &Arguments) -> std::result::Result<Value, Failure> {
        self.run(|evaluator| evaluator.auto_call(value, arguments))
    }

    /// Follows an attribute path such as `a.b."c d"`; functions on the way are called with the arguments.
    ///
    /// # Errors
    /// When the path is malformed or leads nowhere, with names near to the missing one; and what evaluation raises.
    pub fn select(&self, value: Value, path: &str, arguments: &Arguments) -> std::result::Result<Value, Failure> {
        self.run(|evaluator| evaluator.select_path(value, &crate::selection::parse_path(path)?, arguments))
    }

    /// The value as `nix-instantiate --eval` prints it, without a line end. Strict: all of it is evaluated first.
    ///
    /// # Errors
    /// What evaluation raises.
    pub fn print(&self, value: Value, strict: bool) -> std::result::Result<Vec<u8>, Failure> {
        self.run(|evaluator| {
            let value = evaluator.force(value)?;
            if strict {
                evaluator.force_deep(value, Span::NONE)?;
            }
            Ok(evaluator.print(value))
        })
    }

    /// The value as JSON, without a line end.
    ///
    /// # Errors
    /// When a part has no JSON form, and what evaluation raises.
    pub fn print_json(&self, value: Value) -> std::result::Result<Vec<u8>, Failure> {
        self.run(|evaluator| {
            evaluator.announce([Wanted::Deep(value)].into_iter());
            let mut writer = JsonWriter::new(evaluator, Span::NONE);
            writer.value(value)?;
            Ok(writer.out)
        })
    }

    /// The value as XML, with a line end.
    ///
    /// # Errors
    /// What evaluation raises.
    pub fn print_xml(&self, value: Value, strict: bool) -> std::result::Result<Vec<u8>, Failure> {
        self.run(|evaluator| {
            let mut writer = XmlWriter::new(evaluator, strict, true, Span::NONE);
            writer.document(evaluator.force(value)?)?;
            Ok(writer.out.into_bytes())
        })
    }

    /// The bytes of the string that the value is or turns into, without quotes.
    ///
    /// # Errors
    /// When it is no string and turns into none, and what evaluation raises.
    pub fn print_raw(&self, value: Value) -> std::result::Result<Vec<u8>, Failure> {
        self.run(|evaluator| Ok(evaluator.coerced(value, Coercion::STRING, Span::NONE)?.bytes().to_vec()))
    }

    /// The derivation that a value stands for; `None` when it is something else. Forces its `type`, `drvPath` and the
    /// names of its outputs, and nothing else.
    ///
    /// # Errors
    /// When the derivation makes no sense, and what evaluation raises.
    pub fn as_derivation(&self, value: Value) -> std::result::Result<Option<DerivationRef>, Failure> {
        self.run(|evaluator| match evaluator.force(value)? {
            Value::Attrs(attrs) if evaluator.is_derivation(attrs)? => evaluator.derivation_ref(attrs).map(Some),
            _ => Ok(None),
        })
    }

    /// The names of a set's attributes, sorted; `None` when the value is not a set.
    ///
    /// # Errors
    /// What evaluation raises.
    pub fn attribute_names(&self, value: Value) -> std::result::Result<Option<Vec<Vec<u8>>>, Failure> {
        self.run(|evaluator| {
            let Value::Attrs(attrs) = evaluator.force(value)? else { return Ok(None) };
            let sorted = by_name(attrs, self.symbols()).into_iter();
            Ok(Some(sorted.map(|attr| self.symbols().bytes(attr.name).to_vec()).collect()))
        })
    }
}

impl Evaluator<'_> {
    /// What [`Session::auto_call`] does.
    pub(crate) fn auto_call(&self, value: Value, Arguments(arguments): &Arguments) -> Result<Value> {
        let mut value = self.force(value)?;
        if let Value::Attrs(attrs) = value
            && let Some(functor) = attrs.value(names::FUNCTOR)
        {
            value = self.call(functor, &[value], Span::NONE)?;
        }
        let Value::Lambda(closure) = value else { return Ok(value) };
        let Parameters::Set(formals) = &closure.lambda.parameters else { return Ok(value) };
        let given = |name| arguments.iter().any(|(given, _)| *given == name);
        if arguments.is_empty() && formals.formals.iter().any(|formal| formal.default.is_none()) {
            return Ok(value);
        }
        let known = |name| formals.open || formals.formals.iter().any(|formal| formal.name == name);
        if let Some(missing) = formals.formals.iter().find(|formal| formal.default.is_none() && !given(formal.name)) {
            let name = self.session.symbols().display(missing.name);
            let message = format!("argument `{name}` has no default and is not given");
            return Err(Diagnostic::new(Code::MissingArgument, missing.span, message)
                .hint(format!("give it: --arg {name} VALUE")));
        }
        let set = self.set(arguments.iter().copied().filter(|(name, _)| known(*name)));
        self.call(value, &[set], Span::NONE)
    }

    pub(crate) fn derivation_ref(&self, attrs: Attrs) -> Result<DerivationRef> {
        let path = self.required(attrs, names::DRV_PATH, Span::NONE, "a derivation has one")?;
        let path = self.expect_string(path, Span::NONE, "as `drvPath`")?;
        let derivation = path.context().and_then(|context| match context.elements() {
            [Element::Derivation(derivation) | Element::DerivationAlone(derivation)] => Some((*derivation).clone()),
            _ => None,
        });
        let Some(path) = derivation else {
            let message = format!(
                "`drvPath` is {:?}, which names no derivation of this evaluation",
                String::from_utf8_lossy(path.bytes())
            );
            return Err(Diagnostic::new(Code::Derivation, Span::NONE, message));
        };
        let output = match attrs.value(names::OUTPUT_NAME) {
            Some(name) => self.output_name(name)?,
            None => OutputName::out(),
        };
        let outputs = match attrs.value(names::OUTPUTS) {
            Some(names) => {
                let names = self.expect_list(names, Span::NONE, "as `outputs`")?;
                names.items().iter().map(|name| self.output_name(*name)).collect::<Result<_>>()?
            }
            None => vec![output.clone()],
        };
        Ok(DerivationRef { path, output, outputs })
    }

    fn output_name(&self, value: Value) -> Result<OutputName> {
        let text = self.expect_string(value, Span::NONE, "as the name of an output")?;
        String::from_utf8_lossy(text.bytes()).parse().map_err(|error: store::derivation::ParseOutputNameError| {
            Diagnostic::new(Code::Derivation, Span::NONE, error.to_string())
        })
    }
}
