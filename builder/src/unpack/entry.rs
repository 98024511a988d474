//! One entry of an archive, as all formats give it.

/// An entry before its name is checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// The name as the archive has it.
    pub(super) name: Vec<u8>,
    /// What it is.
    pub(super) kind: EntryKind,
    /// Bytes of content that follow; 0 unless it is a file.
    pub(super) size: u64,
}

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum EntryKind {
    /// A regular file; whether its owner may execute it.
    File {
        /// Whether the owner's execute bit is set.
        executable: bool,
    },
    /// A directory.
    Directory,
    /// A symbolic link with this target.
    Symlink(Vec<u8>),
    /// Another name for the file of this name.
    HardLink(Vec<u8>),
    /// A node that a tree cannot hold, in words.
    Special(&'static str),
}
