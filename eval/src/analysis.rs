//! What can be said about a text without evaluating it: which name means which definition, and what a static set has.
//!
//! Pure, and total: texts with errors have an analysis, too. Nothing recurses with the depth of the text.

mod collect;
pub mod names;
mod resolution;

pub use resolution::{Definition, DefinitionKind, Resolution, Scope, ScopeKind, Target, Use};
