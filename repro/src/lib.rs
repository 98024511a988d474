//! Comparing trees and finding causes of irreproducibility.
//!
//! [`diff::compare`] descends two trees only where their digests differ, decodes the files that changed, and says of
//! every difference what kind it is and on what evidence. The result is a [`Report`]: a value, which
//! [`render`] shows as text or as one HTML page, and which serialises to JSON with a schema version.
//!
//! Invariant: decoders read hostile bytes. They never panic, and what they allocate and how long they take is bounded
//! by [`decode::Limits`]; what they cannot read is compared byte by byte instead.

pub mod axes;
pub mod closure;
pub mod decode;
pub mod diff;
pub mod reading;
pub mod render;
pub mod report;
pub mod source;

pub use axes::Axis;
pub use diff::{Options, compare};
pub use reading::{Cause, Evidence, Reading, Tokens};
pub use report::{Change, Detail, Difference, DifferenceKind, NodeKind, Report, SCHEMA, Side};
pub use source::{HostTree, SourceError, TreeSource};
