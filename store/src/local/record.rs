//! Records: what the store knows beyond its trees, each provable from its own bytes.
//!
//! Frame of a record in a segment; integers are little-endian:
//!
//! ```text
//! segment = "larder records 1\n" frame*
//! frame   = kind:u8 length:u32 checksum:[16] payload:[length]
//! ```
//!
//! `checksum` is the first half of BLAKE3 of kind and payload in the context `larder record v1`. Payloads:
//!
//! | kind | payload |
//! |---|---|
//! | 1 derivation | canonical bytes, see [`crate::derivation`] |
//! | 2 tree | `count:u32 reference:[32]*` sorted, then the listing, see [`crate::listing`] |
//! | 3 realisation | canonical bytes, see [`crate::realisation`] |
//! | 4 resolution | `derivation:[32] action:[32]` |
//! | 5 conflict | canonical bytes of the realisation that came second |
//! | 6 build | `action:[32] finished:u64 duration:u64 cpu:u64 memory:u64`; seconds since the epoch, ms, ms, bytes |
//!
//! A build tells when what follows it in its segment was recorded: not before it ended. Where nothing was built, a build of the action that
//! is all zeros tells that time, and nothing else.

use crate::digest::{ActionDigest, DerivationDigest, TreeDigest};
use crate::listing::TreeListing;
use crate::{EncodedDerivation, Realisation};
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

const CONTEXT: &str = "larder record v1";

/// The kind of the record of a tree.
pub(super) const TREE: u8 = 2;

/// The first bytes of a segment.
pub(super) const SEGMENT_HEADER: &[u8] = b"larder records 1\n";

/// How it begins in whatever version.
pub(super) const ANY_VERSION: &[u8] = b"larder records ";

/// Bytes of a frame before its payload.
pub(super) const FRAME_HEADER: usize = 1 + 4 + 16;

/// What a build cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BuildCost {
    /// When it ended, in seconds since the epoch.
    pub finished: u64,
    /// Wall time in milliseconds.
    pub duration_ms: u64,
    /// CPU time in milliseconds.
    pub cpu_ms: u64,
    /// Peak memory of the largest process, in bytes.
    pub memory: u64,
}

/// One record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Record {
    /// A derivation.
    Derivation(Arc<EncodedDerivation>),
    /// A tree's directories and references.
    Tree {
        /// Its directories.
        listing: TreeListing,
        /// The trees mentioned in its files.
        references: BTreeSet<TreeDigest>,
    },
    /// An action's output became a tree.
    Realisation(Realisation),
    /// A derivation resolved to an action.
    Resolution {
        /// The derivation.
        derivation: DerivationDigest,
        /// The action.
        action: ActionDigest,
    },
    /// An action's output became another tree than the one that is kept.
    Conflict(Realisation),
    /// What an action's build cost.
    Build {
        /// The action.
        action: ActionDigest,
        /// The cost.
        cost: BuildCost,
    },
}

impl Record {
    pub(super) fn kind(&self) -> u8 {
        match self {
            Self::Derivation(_) => 1,
            Self::Tree { .. } => TREE,
            Self::Realisation(_) => 3,
            Self::Resolution { .. } => 4,
            Self::Conflict(_) => 5,
            Self::Build { .. } => 6,
        }
    }

    /// By what the index finds it, among records of its kind.
    pub(super) fn key(&self) -> Vec<u8> {
        match self {
            Self::Derivation(derivation) => derivation.digest().as_bytes().to_vec(),
            Self::Tree { listing, .. } => listing.digest().as_bytes().to_vec(),
            Self::Realisation(realisation) => realisation_key(realisation),
            Self::Conflict(realisation) => {
                [realisation_key(realisation), realisation.tree.as_bytes().to_vec()].concat()
            }
            Self::Resolution { derivation, .. } => derivation.as_bytes().to_vec(),
            Self::Build { action, .. } => action.as_bytes().to_vec(),
        }
    }

    /// A record that tells when what follows it was recorded.
    pub(super) fn mark_of_time(now: u64) -> Self {
        let cost = BuildCost { finished: now, duration_ms: 0, cpu_ms: 0, memory: 0 };
        Self::Build { action: ActionDigest::from_bytes([0; 32]), cost }
    }

    /// Whether it is one of these.
    pub(super) fn is_mark_of_time(&self) -> bool {
        matches!(self, Self::Build { action, .. } if *action.as_bytes() == [0; 32])
    }

    fn payload(&self) -> Cow<'_, [u8]> {
        let bytes = match self {
            Self::Derivation(derivation) => return derivation.encoding().into(),
            Self::Tree { listing, references } => {
                let count = u32::try_from(references.len()).expect("fewer than 2^32 references");
                let mut bytes = count.to_le_bytes().to_vec();
                references.iter().for_each(|reference| bytes.extend_from_slice(reference.as_bytes()));
                bytes.extend_from_slice(&listing.encode());
                bytes
            }
            Self::Realisation(realisation) | Self::Conflict(realisation) => realisation.encode(),
            Self::Resolution { derivation, action } => [*derivation.as_bytes(), *action.as_bytes()].concat(),
            Self::Build { action, cost } => {
                let mut bytes = action.as_bytes().to_vec();
                for number in [cost.finished, cost.duration_ms, cost.cpu_ms, cost.memory] {
                    bytes.extend_from_slice(&number.to_le_bytes());
                }
                bytes
            }
        };
        bytes.into()
    }

    /// The whole frame.
    pub(super) fn frame(&self) -> Vec<u8> {
        let payload = self.payload();
        let mut frame = Vec::with_capacity(FRAME_HEADER + payload.len());
        frame.push(self.kind());
        frame.extend_from_slice(&u32::try_from(payload.len()).expect("records below 4 GiB").to_le_bytes());
        frame.extend_from_slice(&checksum(self.kind(), &payload));
        frame.extend_from_slice(&payload);
        frame
    }

    /// Reads a payload; `None` if it is not exactly what [`Self::frame`] writes for this kind.
    pub(super) fn from_payload(kind: u8, payload: &[u8]) -> Option<Self> {
        match kind {
            1 => Some(Self::Derivation(Arc::new(EncodedDerivation::decode(payload).ok()?))),
            TREE => tree_record(payload),
            3 => Some(Self::Realisation(Realisation::decode(payload).ok()?)),
            4 => {
                let (derivation, action) = payload.split_first_chunk::<32>()?;
                Some(Self::Resolution {
                    derivation: DerivationDigest::from_bytes(*derivation),
                    action: ActionDigest::from_bytes(action.try_into().ok()?),
                })
            }
            5 => Some(Self::Conflict(Realisation::decode(payload).ok()?)),
            6 => build_record(payload),
            _ => None,
        }
    }
}

/// The key of a realisation: action and output.
pub(super) fn realisation_key(realisation: &Realisation) -> Vec<u8> {
    [realisation.action.as_bytes(), realisation.output.as_str().as_bytes()].concat()
}

fn tree_record(payload: &[u8]) -> Option<Record> {
    let (count, mut rest) = payload.split_first_chunk::<4>()?;
    let mut references = Vec::new();
    for _ in 0..u32::from_le_bytes(*count) {
        let (reference, after) = rest.split_first_chunk::<32>()?;
        references.push(TreeDigest::from_bytes(*reference));
        rest = after;
    }
    references.is_sorted_by(|a, b| a < b).then_some(())?;
    Some(Record::Tree { listing: TreeListing::decode(rest).ok()?, references: references.into_iter().collect() })
}

fn build_record(payload: &[u8]) -> Option<Record> {
    let (action, rest) = payload.split_first_chunk::<32>()?;
    let numbers: Vec<u64> =
        rest.chunks(8).map(|bytes| bytes.try_into().map(u64::from_le_bytes)).collect::<Result<_, _>>().ok()?;
    let [finished, duration_ms, cpu_ms, memory] = numbers[..] else { return None };
    let cost = BuildCost { finished, duration_ms, cpu_ms, memory };
    Some(Record::Build { action: ActionDigest::from_bytes(*action), cost })
}

fn checksum(kind: u8, payload: &[u8]) -> [u8; 16] {
    let mut hasher = blake3::Hasher::new_derive_key(CONTEXT);
    hasher.update(&[kind]).update(payload);
    *hasher.finalize().as_bytes().first_chunk().expect("a digest has 32 bytes")
}

/// Takes the first frame off `bytes`: its record and its whole length. `None` if it is torn or false.
pub(super) fn read_frame(bytes: &[u8]) -> Option<(Record, usize)> {
    let (kind, payload, length) = split_frame(bytes)?;
    Some((Record::from_payload(kind, payload)?, length))
}

/// The same, but the record is only a kind and its payload.
pub(super) fn split_frame(bytes: &[u8]) -> Option<(u8, &[u8], usize)> {
    let (header, rest) = bytes.split_first_chunk::<FRAME_HEADER>()?;
    let kind = header[0];
    // Where frames are looked for behind damage, this spares most sums.
    if !(1..=6).contains(&kind) {
        return None;
    }
    let length = u32::from_le_bytes([header[1], header[2], header[3], header[4]]) as usize;
    let payload = rest.get(..length)?;
    if checksum(kind, payload) != header[5..] {
        return None;
    }
    Some((kind, payload, FRAME_HEADER + length))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::store_path::StoreName;
    use crate::{Derivation, Directory, OutputName};
    use std::collections::BTreeMap;

    pub(in crate::local) fn samples() -> Vec<Record> {
        let digest = TreeDigest::from_bytes([1; 32]);
        let action = ActionDigest::from_bytes([2; 32]);
        let realisation = Realisation {
            action,
            output: OutputName::out(),
            tree: digest,
            references: BTreeSet::from([digest]),
            runtime: BTreeSet::new(),
        };
        let derivation = Derivation {
            name: StoreName::parse("x").expect("valid"),
            system: "s".to_owned(),
            builder: "/b".to_owned(),
            args: Vec::new(),
            env: BTreeMap::new(),
            inputs: BTreeSet::new(),
            root: Vec::new(),
            overrides: Vec::new(),
            runtime: Vec::new(),
            outputs: BTreeSet::from([OutputName::out()]),
            fixed: None,
        };
        vec![
            Record::Resolution { derivation: derivation.digest(), action },
            Record::Derivation(Arc::new(EncodedDerivation::new(derivation).expect("a short name"))),
            Record::Tree {
                listing: TreeListing::of_directory(Directory::default()),
                references: BTreeSet::from([digest]),
            },
            Record::Realisation(realisation.clone()),
            Record::Conflict(realisation),
            Record::Build { action, cost: BuildCost { finished: 1, duration_ms: 2, cpu_ms: 3, memory: 4 } },
        ]
    }

    #[test]
    fn frames_round_trip() {
        for record in samples() {
            let frame = record.frame();
            assert_eq!(read_frame(&frame), Some((record, frame.len())));
        }
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_noticed() {
        for record in samples() {
            let frame = record.frame();
            for length in 0..frame.len() {
                assert_eq!(read_frame(&frame[..length]), None, "cut at {length}");
            }
            for bit in 0..frame.len() * 8 {
                let mut flipped = frame.clone();
                flipped[bit / 8] ^= 1 << (bit % 8);
                assert_eq!(read_frame(&flipped), None, "bit {bit} of {record:?}");
            }
        }
    }
}
