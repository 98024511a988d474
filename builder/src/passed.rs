//! What a derivation passes to its build in files, as derivations of Nix do: the variables that `passAsFile` names, and the structured
//! attributes of `__structuredAttrs`. Pure. They may be longer than a variable can be.
//!
//! - A variable that `passAsFile` names is a file, and the variable of that name and `Path` says where.
//! - Structured attributes, which the derivation has as JSON in the variable `__json`, are `.attrs.json`, with the outputs in them, and
//!   `.attrs.sh`, which declares for bash what it has variables for; `NIX_ATTRS_JSON_FILE` and `NIX_ATTRS_SH_FILE` say where.

use crate::error::BuildError;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use store::Derivation;
use store::action::ALLOWED_UNMET;
use store::derivation::output_guest_path;

/// Where a build finds them: its working directory.
const DIRECTORY: &str = "/build";

/// The variable with structured attributes.
pub(crate) const STRUCTURED: &str = "__json";

/// The attribute that asks for files with what paths need.
const GRAPH: &str = "exportReferencesGraph";

/// What a build finds, by what its derivation says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Passed {
    /// Variables.
    pub(crate) variables: BTreeMap<String, String>,
    /// Files in the working directory, by their names.
    pub(crate) files: BTreeMap<String, String>,
}

impl Passed {
    /// What it is for a derivation.
    ///
    /// # Errors
    /// When its structured attributes are none, or it asks for files that larder does not write.
    pub(crate) fn of(derivation: &Derivation) -> Result<Self, BuildError> {
        let mut passed = Self { variables: derivation.env.clone(), files: BTreeMap::new() };
        passed.variables.remove(ALLOWED_UNMET);
        let structured = structured(derivation)?;
        if derivation.env.contains_key(GRAPH) || structured.as_ref().is_some_and(|all| all.contains_key(GRAPH)) {
            // What a tree needs at run time is not all of its content: the same action could come to something else.
            let problem = "larder does not write it: `larder query closure` tells what a store path needs";
            return Err(BuildError::attribute(GRAPH, problem));
        }
        if let Some(attributes) = structured {
            passed.variables.remove(STRUCTURED);
            passed.structure(derivation, attributes);
        }
        let names = derivation.env.get("passAsFile").map(String::as_str).unwrap_or_default();
        let names: BTreeSet<_> = names.split_ascii_whitespace().collect();
        for (number, name) in names.into_iter().enumerate() {
            if let Some(text) = passed.variables.remove(name) {
                passed.put(&format!(".attr-{number}"), text, format!("{name}Path"));
            }
        }
        Ok(passed)
    }

    fn put(&mut self, name: &str, text: String, variable: String) {
        self.variables.insert(variable, format!("{DIRECTORY}/{name}"));
        self.files.insert(name.to_owned(), text);
    }

    fn structure(&mut self, derivation: &Derivation, mut attributes: Map<String, Value>) {
        let outputs = derivation.outputs.iter().map(|output| (output.to_string(), output_guest_path(output).into()));
        attributes.insert("outputs".to_owned(), Value::Object(outputs.collect()));
        let shell = attributes.iter().filter_map(|(name, value)| declaration(name, value)).collect();
        self.put(".attrs.sh", shell, "NIX_ATTRS_SH_FILE".to_owned());
        self.put(".attrs.json", Value::Object(attributes).to_string(), "NIX_ATTRS_JSON_FILE".to_owned());
    }
}

/// The structured attributes of a derivation, if it has any.
///
/// # Errors
/// When they are none.
pub(crate) fn structured(derivation: &Derivation) -> Result<Option<Map<String, Value>>, BuildError> {
    let Some(text) = derivation.env.get(STRUCTURED) else { return Ok(None) };
    let read = serde_json::from_str(text).map(Some);
    read.map_err(|error| BuildError::attribute(STRUCTURED, format!("it is not an object in JSON: {error}")))
}

/// The line that declares an attribute for bash; nothing for what bash has no variables for.
fn declaration(name: &str, value: &Value) -> Option<String> {
    let starts = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
    if !starts || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        return None;
    }
    Some(match value {
        Value::Array(items) => {
            let items = items.iter().map(|item| Some(format!("{} ", word(item)?)));
            format!("declare -a {name}=({})\n", items.collect::<Option<String>>()?)
        }
        Value::Object(entries) => {
            let entries = entries.iter().map(|(key, value)| Some(format!("[{}]={} ", quoted(key), word(value)?)));
            format!("declare -A {name}=({})\n", entries.collect::<Option<String>>()?)
        }
        value => format!("declare {name}={}\n", word(value)?),
    })
}

/// A value as one word of the shell: numbers are whole ones, `true` is 1, `false` and `null` are empty.
fn word(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(quoted(text)),
        Value::Number(number) if number.is_f64() => {
            let number = number.as_f64().filter(|number| number.fract() == 0.0)?;
            Some(format!("{number:.0}"))
        }
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(true) => Some("1".to_owned()),
        Value::Bool(false) => Some(String::new()),
        Value::Null => Some("''".to_owned()),
        Value::Array(_) | Value::Object(_) => None,
    }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use store::{OutputName, StoreName};

    /// A derivation with these variables.
    pub(crate) fn derivation(env: &[(&str, &str)]) -> Derivation {
        Derivation {
            name: StoreName::parse("x").expect("a name"),
            system: "s".to_owned(),
            builder: "/bin/sh".to_owned(),
            args: Vec::new(),
            env: env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            inputs: BTreeSet::new(),
            root: Vec::new(),
            overrides: Vec::new(),
            runtime: Vec::new(),
            outputs: BTreeSet::from([OutputName::out()]),
            fixed: None,
        }
    }

    fn passed(env: &[(&str, &str)]) -> Result<Passed, BuildError> {
        Passed::of(&derivation(env))
    }

    fn map(entries: &[(&str, &str)]) -> BTreeMap<String, String> {
        entries.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    /// Outputs are verified again, and not made again, where only this changes.
    #[test]
    fn what_is_allowed_is_not_passed() {
        let found = passed(&[("allowedUnmet", "csh"), ("passAsFile", "allowedUnmet")]).expect("well-formed");
        assert_eq!((found.variables, found.files), (map(&[("passAsFile", "allowedUnmet")]), map(&[])));
    }

    #[test]
    fn variables_that_are_named_are_files() {
        let found = passed(&[("passAsFile", "text missing other"), ("text", "a\nb"), ("other", ""), ("kept", "k")]);
        let found = found.expect("well-formed");
        assert_eq!(found.files, map(&[(".attr-1", ""), (".attr-2", "a\nb")]));
        let variables = [
            ("kept", "k"),
            ("otherPath", "/build/.attr-1"),
            ("passAsFile", "text missing other"),
            ("textPath", "/build/.attr-2"),
        ];
        assert_eq!(found.variables, map(&variables));
    }

    #[test]
    fn structured_attributes_are_json_and_declarations() {
        let json = r#"{"a b":1,"deep":[[1]],"float":1.5,"list":["x y",2,true,false,null],"name":"it's","set":{"k'":"v"},"whole":2.0}"#;
        let found = passed(&[(STRUCTURED, json)]).expect("well-formed");
        assert_eq!(
            found.files[".attrs.sh"],
            "declare -a list=('x y' 2 1  '' )\ndeclare name='it'\\''s'\ndeclare -A outputs=(['out']='/larder/out/out' )\n\
             declare -A set=(['k'\\''']='v' )\ndeclare whole=2\n"
        );
        let read: Value = serde_json::from_str(&found.files[".attrs.json"]).expect("JSON");
        assert_eq!((&read["a b"], &read["outputs"]["out"]), (&1.into(), &"/larder/out/out".into()));
        let paths = [("NIX_ATTRS_JSON_FILE", "/build/.attrs.json"), ("NIX_ATTRS_SH_FILE", "/build/.attrs.sh")];
        assert_eq!(found.variables, map(&paths));
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for text in ["", "[1]", "{"] {
            let error = passed(&[(STRUCTURED, text)]).expect_err("malformed").to_string();
            assert!(error.contains("`__json`: it is not an object in JSON"), "{error}");
        }
    }
}
