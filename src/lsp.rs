//! The language server: what editors ask, answered from the analysis of texts. Nothing is evaluated or written.
//!
//! Data first: each answer is made from [`documents::Documents`] by a function of a topic of its own; only [`server`]
//! reads and writes messages.

mod actions;
mod completion;
mod documents;
mod formatting;
mod found;
mod hover;
mod navigation;
mod position;
mod renaming;
mod reports;
mod server;
mod shape;
mod symbols;
mod transport;

pub(crate) use server::run;
