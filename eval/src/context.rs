//! String contexts: the store objects a string mentions, so that a derivation that uses the string gets them as inputs.

use std::fmt;
use store::{Input, OutputName, StorePath};

/// One thing a string mentions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Element {
    /// A tree that is in the store.
    Tree(&'static StorePath),
    /// An output of a derivation, mentioned by its placeholder.
    Output {
        /// The derivation.
        derivation: &'static StorePath,
        /// The output.
        output: &'static OutputName,
    },
    /// A derivation with all its outputs, as its `drvPath` mentions it.
    Derivation(&'static StorePath),
    /// A derivation without its outputs.
    DerivationAlone(&'static StorePath),
}

impl Element {
    /// The input that a derivation gets; `None` for a derivation itself, which is no tree.
    #[must_use]
    pub fn input(self) -> Option<Input> {
        match self {
            Self::Tree(path) => Some(Input::Tree(path.clone())),
            Self::Output { derivation, output } => {
                Some(Input::Output { derivation: derivation.clone(), output: output.clone() })
            }
            Self::Derivation(_) | Self::DerivationAlone(_) => None,
        }
    }
}

impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tree(path) | Self::Derivation(path) | Self::DerivationAlone(path) => path.fmt(f),
            Self::Output { derivation, output } => write!(f, "{derivation}!{output}"),
        }
    }
}

/// The elements of a string's context: sorted, unique, never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Context(Box<[Element]>);

impl Context {
    /// The elements.
    #[must_use]
    pub fn elements(&self) -> &[Element] {
        &self.0
    }
}

/// Collects contexts of the parts of a string.
#[derive(Debug, Default)]
pub struct ContextBuilder {
    first: Option<&'static Context>,
    more: Vec<Element>,
}

impl ContextBuilder {
    /// Adds all of a context.
    #[inline]
    pub fn add(&mut self, context: Option<&'static Context>) {
        let Some(context) = context else { return };
        match self.first {
            None => self.first = Some(context),
            Some(first) if std::ptr::eq(first, context) => {}
            Some(_) => self.more.extend_from_slice(context.elements()),
        }
    }

    /// Adds one element.
    pub fn add_element(&mut self, element: Element) {
        self.more.push(element);
    }

    /// The context of all that was added; `None` when nothing was.
    #[inline]
    #[must_use]
    pub fn finish(self) -> Option<&'static Context> {
        if self.more.is_empty() { self.first } else { Some(merge(self.first, self.more)) }
    }
}

fn merge(first: Option<&'static Context>, mut elements: Vec<Element>) -> &'static Context {
    elements.extend(first.map_or(&[][..], Context::elements));
    elements.sort_unstable();
    elements.dedup();
    match first {
        Some(first) if first.elements() == elements => first,
        _ => Box::leak(Box::new(Context(elements.into()))),
    }
}
