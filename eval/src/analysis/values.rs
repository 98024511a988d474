//! What an expression certainly is: which static sets, which functions. Followed through variables, selections, calls
//! of functions and imports, as far as that needs no evaluation; what needs it is nothing here.

use super::names::static_name;
use super::{DefinitionKind, File, Files, Target};
use crate::syntax::Kind;
use crate::syntax::tree::Element;
use crate::syntax::typed::{AttrSet, Binary, Binding, Call, If, Inherit, Lambda, Let, Select, With};
use std::ops::Range;
use std::sync::Arc;

/// An element of some file.
#[derive(Debug, Clone)]
pub struct Place {
    /// The file.
    pub file: Arc<File>,
    /// The number of the element.
    pub element: usize,
}

impl Place {
    /// The element.
    #[must_use]
    pub fn get(&self) -> Element<'_> {
        self.file.element(self.element)
    }

    fn at(&self, element: Element<'_>) -> Self {
        Self { file: Arc::clone(&self.file), element: element.number() }
    }
}

/// What an expression may be.
#[derive(Debug, Clone)]
pub enum Value {
    /// The attributes of a set (or `let`) whose paths begin with these names.
    Set(Place, Vec<String>),
    /// A function.
    Function(Place),
    /// The set `builtins`.
    Builtins,
    /// A builtin function or constant, by its name in `builtins`.
    Builtin(&'static str),
    /// Something else, by the expression that gives it.
    Other(Place),
}

/// An attribute of a static set.
#[derive(Debug, Clone)]
pub struct Attribute {
    /// Its name.
    pub name: String,
    /// The file in which it is written.
    pub file: Arc<File>,
    /// Where its name stands.
    pub range: Range<usize>,
    /// The binding or `inherit`.
    pub element: usize,
    bound: Bound,
}

#[derive(Debug, Clone)]
enum Bound {
    Expression(Place),
    Nested(Place, Vec<String>),
    /// The name in an `inherit x;`.
    Inherited(Place),
    /// The `e` of an `inherit (e) x;`.
    InheritedFrom(Place),
}

/// How many steps may be taken for one question.
const STEPS: usize = 2000;

/// Answers one question.
pub struct Values<'a> {
    files: &'a dyn Files,
    steps: usize,
    /// How deep questions within questions may go: no cycle goes on for ever.
    depth: usize,
}

const MAX_DEPTH: usize = 64;

impl std::fmt::Debug for Values<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Values").field("steps", &self.steps).finish_non_exhaustive()
    }
}

impl<'a> Values<'a> {
    /// For one question; other files come from `files`.
    #[must_use]
    pub fn new(files: &'a dyn Files) -> Self {
        Self { files, steps: STEPS, depth: 0 }
    }

    /// What an expression may be; of several, those first that count first.
    pub fn of(&mut self, place: &Place) -> Vec<Value> {
        if self.steps == 0 || self.depth == MAX_DEPTH {
            return Vec::new();
        }
        self.steps -= 1;
        self.depth += 1;
        let values = self.follow(place);
        self.depth -= 1;
        values
    }

    fn follow(&mut self, place: &Place) -> Vec<Value> {
        let element = place.get();
        let mut inner = |element: Option<Element<'_>>| element.map_or(Vec::new(), |inner| self.of(&place.at(inner)));
        match element.kind() {
            Kind::Root | Kind::Paren => inner(element.expressions().next()),
            Kind::Let => inner(Let::cast(element).and_then(Let::body)),
            Kind::With | Kind::Assert => inner(element.expressions().nth(1)),
            Kind::If => {
                let found = If::cast(element);
                let mut values = inner(found.and_then(If::then_branch));
                values.extend(inner(found.and_then(If::else_branch)));
                values
            }
            Kind::Binary if element.token("//").is_some() => {
                let found = Binary::cast(element);
                let mut values = inner(found.and_then(Binary::right));
                values.extend(inner(found.and_then(Binary::left)));
                values
            }
            Kind::AttrSet => vec![Value::Set(place.clone(), Vec::new())],
            Kind::LetBody => self.select(&Value::Set(place.clone(), Vec::new()), "body"),
            Kind::Lambda => vec![Value::Function(place.clone())],
            Kind::Variable => self.variable(place),
            Kind::Select => self.selection(place),
            Kind::Call => self.call(place),
            _ => vec![Value::Other(place.clone())],
        }
    }

    fn variable(&mut self, place: &Place) -> Vec<Value> {
        let range = place.get().range();
        let Some(found) = place.file.resolution.use_at(range.start).filter(|found| found.range == range) else {
            return Vec::new();
        };
        self.meaning(&place.file, found.target, &found.name)
    }

    /// What a name that resolves to a target may be.
    pub fn meaning(&mut self, file: &Arc<File>, target: Target, name: &str) -> Vec<Value> {
        match target {
            Target::Definition(definition) => self.definition(file, definition),
            Target::Builtin("builtins") => vec![Value::Builtins],
            Target::Builtin(name) => vec![Value::Builtin(name)],
            Target::With(scope) => {
                let attributes = self.attributes_of_withs(file, scope, name);
                attributes.iter().flat_map(|attribute| self.attribute_values(attribute)).collect()
            }
            Target::Undefined => Vec::new(),
        }
    }

    /// The attributes of a name in the sets of the `with`s around a scope, innermost first.
    pub fn attributes_of_withs(&mut self, file: &Arc<File>, scope: usize, name: &str) -> Vec<Attribute> {
        let mut at = Some(scope);
        while let Some(with) = at {
            let found: Vec<_> = self.with_set(file, with).iter().flat_map(|set| self.lookup(set, name)).collect();
            if !found.is_empty() {
                return found;
            }
            let scopes = file.resolution.scopes();
            at = scopes[with].parent.and_then(|parent| scopes[parent].with);
        }
        Vec::new()
    }

    /// What the set of a `with` may be, by its scope.
    pub fn with_set(&mut self, file: &Arc<File>, scope: usize) -> Vec<Value> {
        let element = file.element(file.resolution.scopes()[scope].element);
        let set = With::cast(element).and_then(With::scope);
        set.map_or(Vec::new(), |set| self.of(&Place { file: Arc::clone(file), element: set.number() }))
    }

    fn definition(&mut self, file: &Arc<File>, number: usize) -> Vec<Value> {
        let definition = &file.resolution.definitions()[number];
        match definition.kind {
            DefinitionKind::Let | DefinitionKind::Attribute => {
                let opener = file.resolution.scopes()[definition.scope].element;
                let set = Value::Set(Place { file: Arc::clone(file), element: opener }, Vec::new());
                self.select(&set, &definition.name.clone())
            }
            DefinitionKind::Formal => {
                let formal = file.element(definition.element);
                let default = formal.expressions().next().map(Element::number);
                default.map_or(Vec::new(), |element| self.of(&Place { file: Arc::clone(file), element }))
            }
            DefinitionKind::Argument | DefinitionKind::Whole => Vec::new(),
        }
    }

    fn selection(&mut self, place: &Place) -> Vec<Value> {
        let Some(select) = Select::cast(place.get()) else { return Vec::new() };
        let (Some(subject), Some(path)) = (select.subject(), select.path()) else { return Vec::new() };
        let mut values = self.of(&place.at(subject));
        for name in path.names() {
            let Some(name) = static_name(name) else { return Vec::new() };
            values = values.iter().flat_map(|value| self.select(value, &name)).collect();
        }
        if let Some(default) = select.default() {
            values.extend(self.of(&place.at(default)));
        }
        values
    }

    /// What an attribute of a value may be.
    pub fn select(&mut self, value: &Value, name: &str) -> Vec<Value> {
        if let Value::Builtins = value {
            return crate::builtins::member_names()
                .find(|known| *known == name)
                .map(Value::Builtin)
                .into_iter()
                .collect();
        }
        let mut attributes = self.lookup(value, name);
        // The parts of `a.b = 1; a.c = 2;` are one set.
        let nested = |attribute: &Attribute| matches!(attribute.bound, Bound::Nested(..));
        if let Some(first) = attributes.iter().position(nested) {
            let element = attributes[first].element;
            attributes.retain(|attribute| !nested(attribute) || attribute.element == element);
        }
        attributes.iter().flat_map(|attribute| self.attribute_values(attribute)).collect()
    }

    /// What an attribute may be.
    pub fn attribute_values(&mut self, attribute: &Attribute) -> Vec<Value> {
        match &attribute.bound {
            Bound::Expression(place) => self.of(place),
            Bound::Nested(place, path) => vec![Value::Set(place.clone(), path.clone())],
            Bound::Inherited(place) => self.variable(place),
            Bound::InheritedFrom(place) => {
                let sources = self.of(place);
                sources.iter().flat_map(|source| self.select(source, &attribute.name)).collect()
            }
        }
    }

    /// The expression of an attribute, if it is `a = e;`.
    #[must_use]
    pub fn expression(attribute: &Attribute) -> Option<&Place> {
        match &attribute.bound {
            Bound::Expression(place) => Some(place),
            _ => None,
        }
    }

    /// The attributes of a name: one, unless it is written in parts.
    pub fn lookup(&mut self, value: &Value, name: &str) -> Vec<Attribute> {
        attributes_where(value, |found| found == name)
    }

    /// The attributes of a value that are certain to be there, in the order of the text.
    pub fn attributes(&mut self, value: &Value) -> Vec<Attribute> {
        attributes_where(value, |_| true)
    }

    fn call(&mut self, place: &Place) -> Vec<Value> {
        let Some(call) = Call::cast(place.get()) else { return Vec::new() };
        let Some(function) = call.function() else { return Vec::new() };
        let arguments: Vec<_> = call.arguments().collect();
        let (mut given, mut values) = (0, self.of(&place.at(function)));
        while given < arguments.len() {
            values = values
                .iter()
                .flat_map(|value| match value {
                    Value::Builtin("import") => self.import(&place.at(arguments[given])),
                    Value::Function(lambda) => {
                        let body = Lambda::cast(lambda.get()).and_then(Lambda::body);
                        body.map_or(Vec::new(), |body| self.of(&lambda.at(body)))
                    }
                    _ => Vec::new(),
                })
                .collect();
            given += 1;
        }
        values
    }

    fn import(&mut self, argument: &Place) -> Vec<Value> {
        let Some(path) = argument.file.path_of(argument.get()) else { return Vec::new() };
        let file = self.files.file(&path);
        file.map_or(Vec::new(), |file| self.of(&Place { file, element: 0 }))
    }

    /// The function that an expression is, or will be when it is given no argument.
    pub fn function(&mut self, place: &Place) -> Option<Place> {
        self.of(place).into_iter().find_map(|value| match value {
            Value::Function(place) => Some(place),
            _ => None,
        })
    }
}

/// The attributes of wanted names that are certain to be there, in the order of the text. Of the others, only the names
/// are looked at: sets may be large.
fn attributes_where(value: &Value, wanted: impl Fn(&str) -> bool) -> Vec<Attribute> {
    let Value::Set(place, prefix) = value else { return Vec::new() };
    let element = place.get();
    let mut attributes = Vec::new();
    let entries = AttrSet::cast(element).into_iter().flat_map(AttrSet::entries);
    for entry in entries.chain(Let::cast(element).into_iter().flat_map(Let::entries)) {
        if let Some(binding) = Binding::cast(entry) {
            attributes.extend(attribute_of(place, binding, prefix, &wanted));
        } else if let Some(inherit) = Inherit::cast(entry).filter(|_| prefix.is_empty()) {
            inherited(place, inherit, &wanted, &mut attributes);
        }
    }
    attributes
}

/// What a binding says below a prefix, of a wanted name.
fn attribute_of(
    set: &Place,
    binding: Binding<'_>,
    prefix: &[String],
    wanted: impl Fn(&str) -> bool,
) -> Option<Attribute> {
    let mut names = binding.path()?.names();
    for expected in prefix {
        if static_name(names.next()?).as_deref() != Some(expected) {
            return None;
        }
    }
    let element = names.next()?;
    let name = static_name(element).filter(|name| wanted(name))?.into_owned();
    let bound = if names.next().is_some() {
        let path = prefix.iter().cloned().chain([name.clone()]).collect();
        Bound::Nested(set.clone(), path)
    } else {
        Bound::Expression(set.at(binding.value()?))
    };
    let file = Arc::clone(&set.file);
    Some(Attribute { name, file, range: element.range(), element: binding.0.number(), bound })
}

fn inherited(set: &Place, inherit: Inherit<'_>, wanted: impl Fn(&str) -> bool, attributes: &mut Vec<Attribute>) {
    for name in inherit.names() {
        let Some(text) = static_name(name).filter(|name| wanted(name)) else { continue };
        let bound = match inherit.source() {
            Some(source) => Bound::InheritedFrom(set.at(source)),
            None => Bound::Inherited(set.at(name)),
        };
        let (file, element) = (Arc::clone(&set.file), inherit.0.number());
        attributes.push(Attribute { name: text.into_owned(), file, range: name.range(), element, bound });
    }
}
