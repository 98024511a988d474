//! larder's objects and the store that keeps them.
//!
//! Without the feature `local` this crate is pure: digests, encodings, derivations, actions, realisations, and the plan
//! of a garbage collection are functions over data. With it, [`local`] holds the store on disk, the only code that
//! writes into a store directory.
//!
//! Invariant: the digest of a thing is the hash of exactly the bytes that are kept of it, and every decoder refuses
//! bytes that its encoder would not have written.

#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests make their own files"))]

pub mod action;
pub mod archive_hash;
pub mod base32;
pub mod canonical_json;
pub mod derivation;
pub mod difference;
pub mod digest;
pub mod file_hash;
pub mod follow;
pub mod gc;
pub mod graph;
pub mod listing;
#[cfg(feature = "local")]
pub mod local;
pub mod realisation;
pub mod reference;
pub mod shown;
pub mod store_path;
pub mod tree;

pub use action::Action;
pub use archive_hash::ArchiveHasher;
pub use derivation::{Derivation, EncodedDerivation, FixedOutput, HashMode, Input, OutputName};
pub use digest::{ActionDigest, BlobDigest, CommandDigest, DerivationDigest, TreeDigest};
pub use file_hash::{FileHash, HashAlgorithm};
pub use graph::{Graph, Need};
pub use listing::{ListingBuilder, TreeListing};
pub use realisation::Realisation;
pub use reference::ReferenceScanner;
pub use shown::shown;
pub use store_path::{STORE_DIR, StoreName, StorePath};
pub use tree::{Directory, EntryName, Node, Tree, TreePath};
