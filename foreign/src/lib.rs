//! Recipe trees of another distribution: directories `<tier>/<name>/` with a `package.yml`, a `build.sh` and files beside
//! them. What such a tree says, and everything that is wrong with it, at once.
//!
//! Pure: a [`Tree`] is data that the caller has read. Its texts are anybody's, so nothing here panics, recurses with their
//! depth or takes more than linear time and room for them. Nothing is run: `build.sh` is looked at, as far as that goes.

mod excerpt;
mod finding;
mod graph;
mod inspect;
mod manifest;
mod patches;
mod promises;
mod rule;
mod script;
mod source;
mod template;
mod tree;

pub use excerpt::render;
pub use finding::{Finding, Severity};
pub use inspect::lint;
pub use rule::Rule;
pub use script::phases;
pub use source::{Source, Sources, sources};
pub use tree::{FileContent, PatchFile, RecipeFiles, Tree, Unread};
