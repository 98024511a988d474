//! Showing a report to people: as text for a terminal, and as one HTML page.

mod html;
mod text;

pub use html::html;
pub use text::{TextOptions, text};

use crate::reading::{Cause, Evidence, Reading};
use crate::report::{DifferenceKind, NodeKind};

/// A reading in one line.
fn reading_line(reading: &Reading) -> String {
    let evidence = match reading.evidence {
        Evidence::Proof => "proved",
        Evidence::Structure => "by structure",
        Evidence::Pattern => "by look",
    };
    format!("{} ({evidence}): {}", cause_name(reading.cause), reading.explanation)
}

fn counted(differences: usize) -> String {
    format!("{differences} difference{}", if differences == 1 { "" } else { "s" })
}

/// A cause in words.
fn cause_name(cause: Cause) -> &'static str {
    match cause {
        Cause::Time => "time",
        Cause::Path => "path",
        Cause::HostName => "host name",
        Cause::User => "user",
        Cause::ProcessorCount => "number of processors",
        Cause::Locale => "locale",
        Cause::TimeZone => "time zone",
        Cause::Umask => "umask",
        Cause::Kernel => "kernel",
        Cause::Order => "order",
        Cause::BuildId => "hash of other content",
        Cause::Random => "randomness",
        Cause::Address => "memory address",
        Cause::Compression => "compression",
        Cause::Other => "something planted",
    }
}

/// In what a path differs, in words.
fn kind_words(kind: &DifferenceKind) -> String {
    let bit = |executable: &bool| if *executable { "executable" } else { "not executable" };
    match kind {
        DifferenceKind::Added { what } => format!("added ({})", node_name(*what)),
        DifferenceKind::Removed { what } => format!("removed ({})", node_name(*what)),
        DifferenceKind::Renamed { to } => format!("renamed to {to}"),
        DifferenceKind::Type { left, right } => format!("was a {}, is a {}", node_name(*left), node_name(*right)),
        DifferenceKind::Executable { left, right } => format!("was {}, is {}", bit(left), bit(right)),
        DifferenceKind::Target { left, right } => format!("link target was {left}, is {right}"),
        DifferenceKind::Content { left_size, right_size, .. } if left_size == right_size => {
            format!("content ({left_size} bytes)")
        }
        DifferenceKind::Content { left_size, right_size, .. } => {
            format!("content ({left_size} bytes → {right_size} bytes)")
        }
    }
}

fn node_name(kind: NodeKind) -> &'static str {
    match kind {
        NodeKind::File => "file",
        NodeKind::Symlink => "symbolic link",
        NodeKind::Directory => "directory",
    }
}
