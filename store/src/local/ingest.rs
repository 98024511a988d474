//! Ingesting: walking a tree once to list, hash and scan it, and to bring it into the store's form on the way.
//!
//! Three ways of it: *copying* a tree from outside into a staging directory, *sealing* a build's output where it lies, and merely
//! *reading* one to compare it. Every step is relative to a directory descriptor and follows no link.

use super::absent::AbsentObjects;
use super::effect::{self, set_fixed_time};
use super::fsutil::{self, At, IoError, SEALED_DIRECTORY, join_bytes, sealed_file};
use super::layout::object_name;
use super::new_objects::{MadeDirectory, NewObject, NewObjects};
use super::pieces::{Piece, hash_pieces, read_full};
use crate::digest::{BlobDigest, TreeDigest};
use crate::listing::{MAX_DEPTH, TreeListing};
use crate::reference::{MENTION, ReferenceScanner};
use crate::shown::shown;
use crate::tree::{Directory, EntryName, Node, TreePath, is_valid_target};
use dashmap::DashMap;
use rayon::prelude::*;
use rustc_hash::FxBuildHasher;
use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;
use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::ffi::OsStr;
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// Files up to this size are read in one piece.
const SMALL: u64 = 4 << 20;

/// So many nested directories are walked on one thread's stack, and on all cores; what lies deeper goes on, on fresh stacks, on one.
const LEVELS_PER_STACK: usize = 64;

/// The longest path in a tree, in bytes. What comes before it depends on where a store is, and the system takes 4095 for both.
const MAX_PATH: usize = 3072;

/// A tree that cannot be ingested.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// The file system said no.
    #[error(transparent)]
    Io(#[from] IoError),
    /// Something that is neither a file, a symbolic link nor a directory.
    #[error("{} is a {kind}: only files, directories and symbolic links can be in a tree", shown(path))]
    Special {
        /// Its path.
        path: PathBuf,
        /// What it is.
        kind: &'static str,
    },
    /// A file changed while it was read.
    #[error("{} changed while it was read", shown(path))]
    Changed {
        /// Its path.
        path: PathBuf,
    },
    /// A path that the system could not be told.
    #[error("{} has a path of more than {MAX_PATH} bytes in its tree", shown(path))]
    TooLong {
        /// Its path.
        path: PathBuf,
    },
    /// Directories nested too deep.
    #[error("{} is nested more than {MAX_DEPTH} directories deep", shown(path))]
    TooDeep {
        /// Its path.
        path: PathBuf,
    },
    /// A link's target is longer than any system takes.
    #[error("the target of {} is not a valid link target", shown(path))]
    Target {
        /// The link's path.
        path: PathBuf,
    },
}

impl IngestError {
    /// Whether it may be another time that it can be read: nothing is known of it that makes it no tree.
    pub(super) const fn is_of_the_moment(&self) -> bool {
        matches!(self, Self::Io(_) | Self::Changed { .. })
    }
}

/// What becomes of the tree on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// Its files are written anew below a staging directory.
    Copy,
    /// It is itself made read-only, its files exchanged for objects where they exist.
    Seal,
    /// Nothing.
    Read,
}

/// What a walk found.
#[derive(Debug, Clone)]
pub(super) struct Ingested {
    pub(super) listing: TreeListing,
    pub(super) references: BTreeSet<TreeDigest>,
    pub(super) new_objects: Vec<NewObject>,
}

/// Which entries of a source are left out.
pub type Excluded<'a> = &'a (dyn Fn(&TreePath) -> bool + Sync);

/// One walk.
pub(super) struct Ingest<'a> {
    way: Way,
    objects: BorrowedFd<'a>,
    absent: AbsentObjects<'a>,
    excluded: Option<Excluded<'a>>,
    directories: DashMap<TreeDigest, Directory, FxBuildHasher>,
    references: Mutex<BTreeSet<TreeDigest>>,
    /// Files without an object, below `made`.
    new_objects: NewObjects,
    /// The root of what is being made: a directory and a name in it.
    made: Option<(BorrowedFd<'a>, &'a OsStr)>,
}

/// Where the walk is: in the source, and in what is being made (the same descriptor when sealing).
struct Place<'a> {
    source: BorrowedFd<'a>,
    target: BorrowedFd<'a>,
    /// The directory of the source, for messages.
    host: &'a Path,
    /// The directory at hand, below the root of the tree.
    inside: &'a TreePath,
    /// How many directories deep the entry at hand is; 0 for the root of the tree.
    depth: usize,
    /// The directory at hand, below the root of what is being made.
    made: &'a Arc<MadeDirectory>,
}

impl Place<'_> {
    /// An entry's path, for messages.
    fn host(&self, name: &[u8]) -> PathBuf {
        join_bytes(self.host, name)
    }

    /// An entry's name below the root of what is being made; empty for the root itself.
    fn name_below<'n>(&self, name: &'n [u8]) -> &'n [u8] {
        if self.depth == 0 { b"" } else { name }
    }

    /// A name for what takes an entry's place: within a tree one that no build picks, beside it one that a collection knows.
    fn temporary(&self) -> String {
        fsutil::unique_name(if self.depth == 0 { "" } else { ".larder-" })
    }
}

/// A file of the source, opened.
struct Opened<'a> {
    file: File,
    stat: Stat,
    place: &'a Place<'a>,
    name: &'a [u8],
}

impl Opened<'_> {
    /// Its path, for messages.
    fn host(&self) -> PathBuf {
        self.place.host(self.name)
    }

    fn executable(&self) -> bool {
        self.stat.st_mode & 0o100 != 0
    }

    fn size(&self) -> u64 {
        u64::try_from(self.stat.st_size).unwrap_or(0)
    }

    /// Whether it is another file since it was opened, after the last of what was read. A writer that was at work shows in the size or
    /// in one of the times. The time of modification can be put back; that of the last change of anything cannot, but also another
    /// name of the file changes it, so that the content is asked then.
    fn has_changed(&self, blob: &BlobDigest) -> Result<bool, IngestError> {
        let after = rustix::fs::fstat(&self.file).at_place("stat", || self.host())?;
        let facts = |stat: &Stat| (stat.st_size, stat.st_mtime, stat.st_mtime_nsec);
        let changed = |stat: &Stat| (stat.st_ctime, stat.st_ctime_nsec);
        if facts(&self.stat) != facts(&after) {
            return Ok(true);
        }
        if changed(&self.stat) == changed(&after) {
            return Ok(false);
        }
        let again = hash_pieces(&self.file, self.size(), 0, |_| Ok(())).at_place("read", || self.host())?;
        Ok(again.as_ref() != Some(blob))
    }

    fn changed(&self) -> IngestError {
        IngestError::Changed { path: self.host() }
    }
}

impl<'a> Ingest<'a> {
    pub(super) fn new(way: Way, objects: BorrowedFd<'a>, excluded: Option<Excluded<'a>>) -> Self {
        Self {
            way,
            objects,
            absent: AbsentObjects::new(objects),
            excluded,
            directories: DashMap::default(),
            references: Mutex::default(),
            new_objects: NewObjects::default(),
            made: None,
        }
    }

    /// Ingests `name` in the directory `source`, into the same name in `target`.
    pub(super) fn run(
        mut self,
        source: BorrowedFd<'_>,
        source_path: &Path,
        target: BorrowedFd<'a>,
        target_name: &'a OsStr,
    ) -> Result<Ingested, IngestError> {
        self.made = Some((target, target_name));
        let name = source_path.file_name().unwrap_or(OsStr::new("."));
        let place = Place {
            source,
            target,
            host: source_path.parent().unwrap_or(Path::new("/")),
            inside: &TreePath::default(),
            depth: 0,
            made: &self.new_objects.directory(PathBuf::new()),
        };
        let root = self.entry(&place, name.as_bytes(), FileType::Unknown, target_name.as_bytes())?;
        let directories: HashMap<_, _> = self.directories.into_iter().collect();
        Ok(Ingested {
            listing: TreeListing::new(root, directories),
            references: self.references.into_inner().unwrap_or_default(),
            new_objects: self.new_objects.into_sorted(),
        })
    }

    /// Ingests one entry. `kind` is what the directory says it is, which saves a call for most.
    fn entry(&self, place: &Place<'_>, name: &[u8], kind: FileType, target_name: &[u8]) -> Result<Node, IngestError> {
        let kind = match kind {
            FileType::Unknown => {
                let stat = rustix::fs::statat(place.source, OsStr::from_bytes(name), AtFlags::SYMLINK_NOFOLLOW);
                FileType::from_raw_mode(stat.at("stat", place.host(name))?.st_mode)
            }
            known => known,
        };
        if place.made.path().as_os_str().len() + name.len() > MAX_PATH {
            return Err(IngestError::TooLong { path: place.host(name) });
        }
        let special = |kind| Err(IngestError::Special { path: place.host(name), kind });
        match kind {
            FileType::RegularFile => self.file(place, name, target_name),
            FileType::Symlink => self.symlink(place, name, target_name),
            FileType::Directory => self.directory(place, name, target_name),
            FileType::Fifo => special("named pipe"),
            FileType::Socket => special("socket"),
            FileType::CharacterDevice | FileType::BlockDevice => special("device"),
            FileType::Unknown => special("file of unknown kind"),
        }
    }

    fn symlink(&self, place: &Place<'_>, name: &[u8], target_name: &[u8]) -> Result<Node, IngestError> {
        let target = rustix::fs::readlinkat(place.source, OsStr::from_bytes(name), Vec::new())
            .at("read link", place.host(name))?
            .into_bytes();
        if !is_valid_target(&target) {
            return Err(IngestError::Target { path: place.host(name) });
        }
        self.scan(&target);
        if self.way == Way::Copy {
            effect::symlinkat(OsStr::from_bytes(&target), place.target, OsStr::from_bytes(target_name))
                .at("create link", place.host(name))?;
        }
        if self.way != Way::Read {
            // What reads times, as tar does, must see the same in every copy.
            effect::set_fixed_link_time(place.target, OsStr::from_bytes(target_name))
                .at("set the time of", place.host(name))?;
        }
        Ok(Node::Symlink { target })
    }

    fn directory(&self, place: &Place<'_>, name: &[u8], target_name: &[u8]) -> Result<Node, IngestError> {
        let host = place.host(name);
        if place.depth > MAX_DEPTH {
            return Err(IngestError::TooDeep { path: host });
        }
        let source = self.open_directory(place, name, &host)?;
        let target = match self.way {
            Way::Copy => {
                effect::mkdirat(place.target, OsStr::from_bytes(target_name), Mode::RWXU)
                    .at("create directory", &host)?;
                Some(fsutil::open_directory_at(place.target, OsStr::from_bytes(target_name)).at("open", &host)?)
            }
            Way::Seal | Way::Read => None,
        };
        let made = target.as_ref().unwrap_or(&source);
        let directory = self.entries(place, name, &source, made, &host)?;
        if self.way != Way::Read {
            set_fixed_time(made).at("set the time of", &host)?;
            // The root of the tree must stay writable until it has been renamed; see `publish`.
            if place.depth > 0 {
                effect::fchmod(made, SEALED_DIRECTORY).at("change the mode of", &host)?;
            }
        }
        let digest = directory.digest();
        self.directories.entry(digest).or_insert(directory);
        Ok(Node::Directory(digest))
    }

    fn open_directory(&self, place: &Place<'_>, name: &[u8], host: &Path) -> Result<OwnedFd, IngestError> {
        let name = OsStr::from_bytes(name);
        match fsutil::open_directory_at(place.source, name) {
            Err(Errno::ACCESS) if self.way == Way::Seal => {}
            opened => return Ok(opened.at("open directory", host)?),
        }
        // An output's own directory without read permission: it is ours, and nothing runs that could exchange it.
        effect::chmodat(place.source, name, Mode::RWXU).at("change the mode of", host)?;
        Ok(fsutil::open_directory_at(place.source, name).at("open directory", host)?)
    }

    /// Ingests what is in the directory `name`.
    fn entries(
        &self,
        place: &Place<'_>,
        name: &[u8],
        source: &OwnedFd,
        target: &OwnedFd,
        host: &Path,
    ) -> Result<Directory, IngestError> {
        if self.way == Way::Seal {
            effect::fchmod(source, Mode::RWXU).at("change the mode of", host)?;
        }
        let names = fsutil::names_once(source).at("read directory", host)?;
        let relative = match place.name_below(name) {
            b"" => PathBuf::new(),
            below => join_bytes(place.made.path(), below),
        };
        // The path inside is only needed to ask what is left out.
        let inside = match self.excluded {
            Some(_) if place.depth > 0 => place.inside.join(&entry_name(name)),
            _ => TreePath::default(),
        };
        let inner = Place {
            source: source.as_fd(),
            target: target.as_fd(),
            host,
            inside: &inside,
            depth: place.depth + 1,
            made: &self.new_objects.directory(relative),
        };
        let one = |(name, kind): (Vec<u8>, FileType)| -> Option<Result<(EntryName, Node), IngestError>> {
            let entry = entry_name(&name);
            if self.excluded.is_some_and(|excluded| excluded(&inside.join(&entry))) {
                return None;
            }
            Some(self.entry(&inner, &name, kind, &name).map(|node| (entry, node)))
        };
        let depth = place.depth;
        let nodes: Vec<_> = if depth < LEVELS_PER_STACK {
            names.into_par_iter().with_min_len(8).filter_map(one).collect::<Result<_, _>>()?
        } else if depth.is_multiple_of(LEVELS_PER_STACK) {
            on_a_fresh_stack(|| names.into_iter().filter_map(one).collect::<Result<_, _>>())
                .at("read directory", host)??
        } else {
            names.into_iter().filter_map(one).collect::<Result<_, _>>()?
        };
        Ok(nodes.into_iter().collect())
    }

    fn file(&self, place: &Place<'_>, name: &[u8], target_name: &[u8]) -> Result<Node, IngestError> {
        let file = self.open_file(place, name)?;
        let stat = rustix::fs::fstat(&file).at_place("stat", || place.host(name))?;
        let opened = Opened { file, stat, place, name };
        // The directory said that it is a file; it may have been exchanged since.
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(opened.changed());
        }
        let blob = if opened.size() <= SMALL {
            self.small_file(&opened, target_name)?
        } else {
            self.large_file(&opened, target_name)?
        };
        if self.way != Way::Seal && opened.has_changed(&blob)? {
            return Err(opened.changed());
        }
        Ok(Node::File { executable: opened.executable(), size: opened.size(), blob })
    }

    fn open_file(&self, place: &Place<'_>, name: &[u8]) -> Result<File, IngestError> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let host = || place.host(name);
        let name = OsStr::from_bytes(name);
        match rustix::fs::openat(place.source, name, flags, Mode::empty()) {
            Err(Errno::ACCESS) if self.way == Way::Seal => {}
            opened => return Ok(opened.at_place("open", host)?.into()),
        }
        effect::chmodat(place.source, name, Mode::RUSR).at_place("change the mode of", host)?;
        Ok(rustix::fs::openat(place.source, name, flags, Mode::empty()).at_place("open", host)?.into())
    }

    fn small_file(&self, opened: &Opened<'_>, target_name: &[u8]) -> Result<BlobDigest, IngestError> {
        thread_local!(static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) });
        let size = usize::try_from(opened.size()).unwrap_or(0);
        BUFFER.with_borrow_mut(|buffer| {
            if buffer.len() < size {
                buffer.resize(size, 0);
            }
            // Growth since the look at its size shows in the next look, so the end need not be read.
            let content = &mut buffer[..size];
            if read_full(&opened.file, content).at_place("read", || opened.host())? != size {
                return Err(opened.changed());
            }
            self.content(opened, target_name, content)
        })
    }

    /// Takes in a file that was read as a whole.
    fn content(&self, opened: &Opened<'_>, target_name: &[u8], content: &[u8]) -> Result<BlobDigest, IngestError> {
        self.scan(content);
        let blob = BlobDigest::of(content);
        let Opened { place, name, .. } = *opened;
        let object = || object_name(&blob, opened.executable());
        match self.way {
            Way::Read => {}
            Way::Copy => {
                let object = object();
                if !self.link_known(place, OsStr::from_bytes(target_name), &object) {
                    let target = create_file(place.target, target_name, opened.executable());
                    let target = target.at_place("create", || opened.host())?;
                    effect::write_all(&target, content).at_place("write", || opened.host())?;
                    set_fixed_time(&target).at_place("set the time of", || opened.host())?;
                    // Also in place of one that has as many links as can be made.
                    self.new_objects.insert(object, place.made, place.name_below(name));
                }
            }
            Way::Seal => self.seal_file(opened, object())?,
        }
        Ok(blob)
    }

    fn large_file(&self, opened: &Opened<'_>, target_name: &[u8]) -> Result<BlobDigest, IngestError> {
        let host = || opened.host();
        let place = opened.place;
        let target = match self.way {
            Way::Copy => Some(create_file(place.target, target_name, opened.executable()).at_place("create", host)?),
            Way::Seal | Way::Read => None,
        };
        let visit = |piece: &Piece<'_>| {
            // What is not written is a hole, which reads as zeros.
            if let Some(target) = target.as_ref().filter(|_| !is_zeros(piece.content())) {
                effect::write_all_at(target, piece.content(), piece.offset)?;
            }
            self.scan(piece.with_before());
            Ok(())
        };
        // A mention that begins in one piece and ends in the next is seen with that one.
        let hashed = hash_pieces(&opened.file, opened.size(), MENTION - 1, visit);
        let hashed = hashed.at_place(if target.is_some() { "copy" } else { "read" }, host)?;
        let blob = hashed.ok_or_else(|| opened.changed())?;
        let object = object_name(&blob, opened.executable());
        if let Some(target) = target {
            effect::set_len(&target, opened.size()).at_place("copy", host)?;
            set_fixed_time(&target).at_place("set the time of", host)?;
            self.exchange_or_keep(place, opened.name, target_name, object).at_place("link", host)?;
        } else if self.way == Way::Seal {
            self.seal_file(opened, object)?;
        }
        Ok(blob)
    }

    /// Links a file with this content to `name`: an object, or one that this walk has made. False if none can be linked.
    fn link_known(&self, place: &Place<'_>, name: &OsStr, object: &str) -> bool {
        if !self.absent.contains(object) {
            match effect::linkat(self.objects, object, place.target, name) {
                Ok(()) => return true,
                Err(Errno::NOENT) => self.absent.missed(object),
                Err(_) => {}
            }
        }
        let Some((root, root_name)) = self.made else { return false };
        let made = self.new_objects.find_below(Path::new(root_name), object);
        made.is_some_and(|made| effect::linkat(root, made, place.target, name).is_ok())
    }

    /// Exchanges a file that is complete for a known one of the same content, or notes it as new.
    fn exchange_or_keep(
        &self,
        place: &Place<'_>,
        name: &[u8],
        target_name: &[u8],
        object: String,
    ) -> Result<(), Errno> {
        let temporary = place.temporary();
        if self.link_known(place, OsStr::new(&temporary), &object) {
            return effect::renameat(place.target, &*temporary, place.target, OsStr::from_bytes(target_name));
        }
        self.new_objects.insert(object, place.made, place.name_below(name));
        Ok(())
    }

    fn seal_file(&self, opened: &Opened<'_>, object: String) -> Result<(), IngestError> {
        let Opened { file, stat, place, name } = opened;
        let host = || opened.host();
        if stat.st_nlink > 1 && self.is_object(stat, &object) {
            return Ok(());
        }
        if stat.st_nlink > 1 {
            // Another name of the same inode may lie where it will not be sealed: take a file of our own.
            copy_in_place(place, name, file, opened.executable()).at_place("copy", host)?;
        } else {
            effect::fchmod(file, sealed_file(opened.executable())).at_place("change the mode of", host)?;
            set_fixed_time(file).at_place("set the time of", host)?;
        }
        Ok(self.exchange_or_keep(place, name, name, object).at_place("link", host)?)
    }

    /// Whether a file is the object of this name already, as when a tree is sealed once more.
    fn is_object(&self, stat: &Stat, object: &str) -> bool {
        let found = rustix::fs::statat(self.objects, object, AtFlags::SYMLINK_NOFOLLOW);
        found.is_ok_and(|found| (found.st_dev, found.st_ino) == (stat.st_dev, stat.st_ino))
    }

    fn scan(&self, content: &[u8]) {
        let mut scanner = ReferenceScanner::default();
        scanner.scan_content(content);
        self.found(scanner.finish());
    }

    fn found(&self, references: BTreeSet<TreeDigest>) {
        if !references.is_empty() {
            self.references.lock().unwrap_or_else(std::sync::PoisonError::into_inner).extend(references);
        }
    }
}

fn is_zeros(content: &[u8]) -> bool {
    const ZEROS: [u8; 4096] = [0; 4096];
    content.chunks(ZEROS.len()).all(|chunk| *chunk == ZEROS[..chunk.len()])
}

fn entry_name(name: &[u8]) -> EntryName {
    EntryName::new(name).expect("the system's own names are valid")
}

/// Runs a part of a recursion on a stack of its own.
fn on_a_fresh_stack<T: Send>(part: impl FnOnce() -> T + Send) -> Result<T, std::io::Error> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().spawn_scoped(scope, part)?;
        match thread.join() {
            Ok(result) => Ok(result),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

fn create_file(directory: BorrowedFd<'_>, name: &[u8], executable: bool) -> Result<File, Errno> {
    let flags = OFlags::WRONLY | OFlags::EXCL;
    let file = effect::create(directory, OsStr::from_bytes(name), flags, sealed_file(executable))?;
    // The process's umask may have taken bits away.
    if umask_hides_bits() {
        effect::fchmod(&file, sealed_file(executable))?;
    }
    Ok(file)
}

/// Whether files are created with less than the mode of a sealed file. The umask is looked at once: nothing here changes it.
fn umask_hides_bits() -> bool {
    static HIDES: std::sync::OnceLock<bool> = std::sync::OnceLock::new();
    *HIDES.get_or_init(|| {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let umask = status.lines().find_map(|line| line.strip_prefix("Umask:"));
        let umask = umask.and_then(|text| u32::from_str_radix(text.trim(), 8).ok());
        umask.is_none_or(|umask| umask & 0o555 != 0)
    })
}

fn copy_in_place(place: &Place<'_>, name: &[u8], mut source: &File, executable: bool) -> Result<(), std::io::Error> {
    let (directory, temporary) = (place.source, place.temporary());
    let target = create_file(directory, temporary.as_bytes(), executable)?;
    std::io::Seek::rewind(&mut source)?;
    let mut piece = vec![0; SMALL as usize];
    loop {
        match read_full(source, &mut piece)? {
            0 => break,
            length => effect::write_all(&target, &piece[..length])?,
        }
    }
    set_fixed_time(&target)?;
    effect::renameat(directory, &*temporary, directory, OsStr::from_bytes(name))?;
    Ok(())
}
