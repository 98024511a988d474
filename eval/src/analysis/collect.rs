//! Walks over a tree once, in the order of the text, and collects scopes, definitions and uses.

use super::names::static_name;
use super::resolution::{Definition, DefinitionKind, Scope, ScopeKind, Target, Use};
use crate::syntax::Kind;
use crate::syntax::tree::{Element, Tree};
use crate::syntax::typed::{AttrSet, Binding, Inherit, Lambda, With};
use rustc_hash::FxHashMap;

/// No scope.
const NONE: u32 = u32::MAX;

/// What was collected so far.
pub(super) struct Collector {
    pub(super) scopes: Vec<Scope>,
    pub(super) definitions: Vec<Definition>,
    /// Without their targets.
    pub(super) uses: Vec<Use>,
    /// The scope of every element so far.
    pub(super) scope_of: Vec<u32>,
    /// The scope that an element opens, for what it contains.
    opens: Vec<u32>,
}

impl Collector {
    pub(super) fn collect(tree: &Tree) -> Self {
        let mut collector = Self {
            scopes: Vec::new(),
            definitions: Vec::new(),
            uses: Vec::new(),
            scope_of: Vec::new(),
            opens: Vec::new(),
        };
        for element in tree.root().descendants() {
            collector.visit(element);
        }
        collector.close();
        collector
    }

    fn visit(&mut self, element: Element<'_>) {
        let scope = element.parent().map_or(NONE, |parent| self.scope_within(parent, element));
        self.scope_of.push(scope);
        self.opens.push(NONE);
        match element.kind() {
            Kind::Root => {
                self.open(element, ScopeKind::File);
                self.scope_of[0] = 0;
            }
            Kind::Let => self.bindings(element, ScopeKind::Let, DefinitionKind::Let),
            Kind::LetBody => self.bindings(element, ScopeKind::Recursive, DefinitionKind::Let),
            Kind::AttrSet if AttrSet::cast(element).is_some_and(AttrSet::is_recursive) => {
                self.bindings(element, ScopeKind::Recursive, DefinitionKind::Attribute);
            }
            Kind::Lambda => self.function(element),
            Kind::With => {
                self.open(element, ScopeKind::With);
            }
            Kind::Variable => self.add_use(element, scope, false),
            Kind::Inherit => self.inherited_uses(element, scope),
            _ => {}
        }
    }

    /// The scope of an element that a node contains.
    fn scope_within(&self, node: Element<'_>, element: Element<'_>) -> u32 {
        let (outer, inner) = (self.scope_of[node.number()], self.opens[node.number()]);
        let before_with = || With::cast(node).and_then(With::scope).is_some_and(|scope| scope == element);
        if inner == NONE || (node.kind() == Kind::With && before_with()) { outer } else { inner }
    }

    fn open(&mut self, element: Element<'_>, kind: ScopeKind) -> usize {
        let number = self.scopes.len();
        let parent = Some(self.scope_of[element.number()] as usize).filter(|_| number > 0);
        let around = parent.and_then(|parent| self.scopes[parent].with);
        let with = if kind == ScopeKind::With { Some(number) } else { around };
        let element_number = element.number();
        self.scopes.push(Scope { kind, element: element_number, parent, end: 0, definitions: Vec::new(), with });
        self.opens[element_number] = number as u32;
        number
    }

    /// Scopes end when their last inner one does: found from the last to the first.
    fn close(&mut self) {
        for number in (0..self.scopes.len()).rev() {
            let end = self.scopes[number].end.max(number + 1);
            self.scopes[number].end = end;
            if let Some(parent) = self.scopes[number].parent {
                self.scopes[parent].end = self.scopes[parent].end.max(end);
            }
        }
    }

    fn define(&mut self, scope: usize, name: Element<'_>, element: Element<'_>, kind: DefinitionKind) {
        let Some(text) = static_name(name) else { return };
        let inherited = element.kind() == Kind::Inherit;
        let (number, places) = (self.definitions.len(), vec![name.range()]);
        let name = text.into_owned();
        self.definitions.push(Definition { name, kind, places, element: element.number(), inherited, scope });
        self.scopes[scope].definitions.push(number);
    }

    /// The first names of bindings. Those that occur again, as in `a.b = 1; a.c = 2;`, are one definition.
    fn bindings(&mut self, node: Element<'_>, scope_kind: ScopeKind, kind: DefinitionKind) {
        let scope = self.open(node, scope_kind);
        let mut known: FxHashMap<String, usize> = FxHashMap::default();
        for entry in node.children() {
            if let Some(inherit) = Inherit::cast(entry) {
                inherit.names().for_each(|name| self.define(scope, name, entry, kind));
                continue;
            }
            let first = Binding::cast(entry).and_then(Binding::path).and_then(|path| path.names().next());
            let Some((name, text)) = first.and_then(|name| Some((name, static_name(name)?))) else { continue };
            match known.get(&*text) {
                Some(&definition) => self.definitions[definition].places.push(name.range()),
                None => {
                    known.insert(text.into_owned(), self.definitions.len());
                    self.define(scope, name, entry, kind);
                }
            }
        }
    }

    fn function(&mut self, node: Element<'_>) {
        let scope = self.open(node, ScopeKind::Function);
        let Some(lambda) = Lambda::cast(node) else { return };
        if let Some(name) = lambda.name() {
            self.define(scope, name, node, DefinitionKind::Argument);
        }
        let Some(pattern) = lambda.pattern() else { return };
        if let Some(name) = pattern.whole() {
            self.define(scope, name, node, DefinitionKind::Whole);
        }
        for formal in pattern.formals() {
            if let Some(name) = formal.name() {
                self.define(scope, name, formal.0, DefinitionKind::Formal);
            }
        }
    }

    fn add_use(&mut self, element: Element<'_>, scope: u32, inherited: bool) {
        let Some(name) = static_name(element) else { return };
        let (name, range, element) = (name.into_owned(), element.range(), element.number());
        let scope = scope as usize;
        self.uses.push(Use { name, range, element, inherited, scope, target: Target::Undefined });
    }

    /// `inherit x;` means the `x` around the set or `let`, also if that defines it itself by this very word.
    fn inherited_uses(&mut self, node: Element<'_>, scope: u32) {
        let Some(inherit) = Inherit::cast(node).filter(|inherit| inherit.source().is_none()) else { return };
        if node.child(Kind::InheritFrom).is_some() {
            return;
        }
        let opener = node.parent().map(|parent| (parent.number(), self.opens[parent.number()]));
        let scope = match opener {
            Some((parent, inner)) if inner != NONE => self.scope_of[parent],
            _ => scope,
        };
        inherit.names().for_each(|name| self.add_use(name, scope, true));
    }
}
