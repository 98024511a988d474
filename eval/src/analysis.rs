//! What can be said about a text without evaluating it: which name means which definition, and what a static set has.
//!
//! Pure, and total: texts with errors have an analysis, too. Nothing recurses with the depth of the text.

mod collect;
mod file;
pub mod names;
mod rename;
mod resolution;
mod values;

pub use file::{File, Files};
pub use rename::{RenameError, renamable, rename};
pub use resolution::{Definition, DefinitionKind, Resolution, Scope, ScopeKind, Target, Use};
pub use values::{Attribute, Place, Value, Values};
