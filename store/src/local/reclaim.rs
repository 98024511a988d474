//! What removing files will give back to the disk: the blocks of directories and files, of a file with several links when all go.
//!
//! These are the bytes that `du` counts. What a file shares with others below the file system (reflinks) is not known here.

use super::fsutil::{has_fixed_time, names_once, open_directory_at};
use crate::listing::TreeListing;
use crate::tree::Node;
use rustc_hash::FxHashMap;
use rustix::fs::{AtFlags, FileType, Stat};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::rc::Rc;

/// Bytes that something takes of the disk by itself.
pub(super) fn allocated(stat: &Stat) -> u64 {
    u64::try_from(stat.st_blocks).unwrap_or(0) * 512
}

/// The links of one file, as far as they are known to go.
#[derive(Debug, Clone, Copy)]
struct Links {
    all: u64,
    gone: u64,
    bytes: u64,
}

impl Links {
    #[expect(clippy::useless_conversion, reason = "the link count's width differs between systems")]
    fn of(stat: &Stat) -> Self {
        Self { all: u64::from(stat.st_nlink), gone: 0, bytes: allocated(stat) }
    }

    /// Lets one more go, and says what that gives back.
    fn remove(&mut self) -> u64 {
        self.gone += 1;
        if self.gone == self.all { self.bytes } else { 0 }
    }
}

/// What lies at one place.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Bytes of directories, and of files that are nowhere else.
    pub(super) bytes: u64,
    /// The other files, by their numbers, once for each name.
    files: Vec<(u64, Links)>,
}

impl Found {
    /// Adds what was found at one place, and says whether that is a directory.
    fn add(&mut self, stat: &Stat) -> bool {
        let is_directory = is_directory(stat);
        if is_directory || stat.st_nlink == 1 {
            self.bytes += allocated(stat);
        } else {
            self.files.push((stat.st_ino, Links::of(stat)));
        }
        is_directory
    }

    fn join(&mut self, other: Self) {
        self.bytes += other.bytes;
        self.files.extend(other.files);
    }
}

/// Looks at `name` and all below it. What vanishes meanwhile, or may not be looked at, counts for nothing.
pub(super) fn look(parent: BorrowedFd<'_>, name: &OsStr) -> Result<Found, Errno> {
    let mut found = Found::default();
    // Without a directory it is in the parent that was given.
    let mut pending = vec![(None::<Rc<OwnedFd>>, name.as_bytes().to_vec())];
    while let Some((directory, name)) = pending.pop() {
        let parent = directory.as_ref().map_or(parent, |directory| directory.as_fd());
        let name = OsStr::from_bytes(&name);
        let stat = match rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT | Errno::ACCESS) => continue,
            stat => stat?,
        };
        if !found.add(&stat) {
            continue;
        }
        let directory = match open_directory_at(parent, name) {
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::ACCESS) => continue,
            opened => Rc::new(opened?),
        };
        pending.extend(names_once(&directory)?.into_iter().map(|(name, _)| (Some(Rc::clone(&directory)), name)));
    }
    Ok(found)
}

/// So long may a name with directories in it be; what lies deeper is looked at by descriptors.
const MAX_PLACE: usize = 2048;

/// The same where a listing tells what lies there, so that no directory is read but such as have changed since they were sealed. What is not
/// as it is listed is looked at as what it is.
pub(super) fn look_as_listed(parent: BorrowedFd<'_>, name: &str, listing: &TreeListing) -> Result<Found, Errno> {
    let mut found = Found::default();
    let mut pending = vec![(name.as_bytes().to_vec(), listing.root())];
    while let Some((place, node)) = pending.pop() {
        let name = OsStr::from_bytes(&place);
        let stat = match rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT | Errno::ACCESS) => continue,
            stat => stat?,
        };
        let directory = match node {
            Node::Directory(digest) => listing.directory(digest).filter(|_| place.len() < MAX_PLACE),
            _ => None,
        };
        // What was a link just now is not gone through, and where something was added or removed the directory has another time.
        match directory.filter(|_| is_directory(&stat) && has_fixed_time(&stat)) {
            Some(directory) => {
                found.add(&stat);
                let children = directory.entries();
                pending.extend(children.map(|(name, child)| ([&place, &b"/"[..], name.as_bytes()].concat(), child)));
            }
            None if is_directory(&stat) => found.join(look(parent, name)?),
            None => _ = found.add(&stat),
        }
    }
    Ok(found)
}

fn is_directory(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::Directory
}

/// Sums up what is removed, and what that gives back.
#[derive(Debug, Default)]
pub(super) struct Reclaim {
    links: FxHashMap<u64, Links>,
}

impl Reclaim {
    /// What removing this gives back, after all that was removed before.
    pub(super) fn remove(&mut self, found: &Found) -> u64 {
        let link = |(number, links): &(u64, Links)| self.links.entry(*number).or_insert(*links).remove();
        found.bytes + found.files.iter().map(link).sum::<u64>()
    }

    /// The same for an object, which is removed only when nothing else links to its file.
    pub(super) fn remove_object(&mut self, stat: &Stat) -> u64 {
        let links = self.links.entry(stat.st_ino).or_insert(Links::of(stat));
        if links.gone + 1 == links.all { links.remove() } else { 0 }
    }

    /// What these take together, whoever else has a part in it.
    pub(super) fn taken<'f>(all: impl IntoIterator<Item = &'f Found>) -> u64 {
        let mut files = FxHashMap::default();
        let mut bytes = 0;
        for found in all {
            bytes += found.bytes;
            files.extend(found.files.iter().map(|(number, links)| (*number, links.bytes)));
        }
        bytes + files.into_values().sum::<u64>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::BlobDigest;
    use crate::listing::ListingBuilder;
    use crate::local::fsutil::open_directory;
    use crate::tree::{EntryName, TreePath};
    use std::process::Command;

    fn du(place: &std::path::Path) -> u64 {
        let output = Command::new("du").args(["-s", "--block-size=1"]).arg(place).output().expect("du runs");
        let text = String::from_utf8(output.stdout).expect("a text");
        text.split_whitespace().next().and_then(|number| number.parse().ok()).expect("a number")
    }

    #[test]
    fn a_place_takes_what_du_says_and_gives_back_what_is_nowhere_else() {
        let base = tempfile::tempdir().expect("a directory");
        let (tree, other) = (base.path().join("t"), base.path().join("o"));
        std::fs::create_dir_all(tree.join("d/e")).expect("created");
        std::fs::create_dir(&other).expect("created");
        for (number, name) in ["a", "d/b", "d/e/c"].into_iter().enumerate() {
            std::fs::write(tree.join(name), vec![b'x'; 5000 * (number + 1)]).expect("written");
        }
        std::fs::hard_link(tree.join("a"), tree.join("d/a")).expect("linked");
        std::fs::hard_link(tree.join("d/b"), other.join("b")).expect("linked");
        std::os::unix::fs::symlink("x".repeat(300), tree.join("l")).expect("linked");
        let parent = open_directory(base.path()).expect("opened");
        let look = |name| look(parent.as_fd(), OsStr::new(name)).expect("looked");
        assert_eq!(Reclaim::taken([&look("t")]), du(&tree));
        assert_eq!(Reclaim::taken([&look("t"), &look("o")]), du(&tree) + own(&other), "one file is in both");
        let before = du(base.path());
        let freed = Reclaim::default().remove(&look("t"));
        let mut both = Reclaim::default();
        assert_eq!(both.remove(&look("t")) + both.remove(&look("o")), before - own(base.path()));
        std::fs::remove_dir_all(&tree).expect("removed");
        assert_eq!(freed, before - du(base.path()));
    }

    /// Makes what a listing says, with directories so deep that their names are too long for one call.
    fn listed(base: &std::path::Path, depth: usize) -> TreeListing {
        let mut builder = ListingBuilder::default();
        let mut place = base.to_owned();
        let mut inside = TreePath::default();
        for level in 0..depth {
            std::fs::create_dir(&place).expect("created");
            std::fs::write(place.join("f"), vec![b'x'; 3000 + level]).expect("written");
            std::os::unix::fs::symlink("x".repeat(300), place.join("l")).expect("linked");
            let content = vec![b'x'; 3000 + level];
            let file = Node::File { executable: false, size: content.len() as u64, blob: BlobDigest::of(&content) };
            let link = Node::Symlink { target: vec![b'x'; 300] };
            for (name, node) in [("f", file), ("l", link)] {
                builder.insert(&inside.join(&entry(name)), Some(node)).expect("free");
            }
            let name = format!("d{}", "0".repeat(90));
            inside = inside.join(&entry(&name));
            place = place.join(name);
        }
        seal(base);
        builder.finish()
    }

    /// Gives all directories their fixed time, innermost first.
    fn seal(tree: &std::path::Path) {
        let seal = "find \"$0\" -depth -type d -exec touch -d @1 {} +";
        assert!(Command::new("sh").args(["-c", seal]).arg(tree).status().expect("it runs").success());
    }

    fn entry(name: &str) -> EntryName {
        EntryName::new(name.as_bytes()).expect("a name")
    }

    #[test]
    fn a_listing_tells_what_is_to_be_looked_at() {
        let base = tempfile::tempdir().expect("a directory");
        for depth in [1, 3, 35] {
            let tree = base.path().join(format!("t{depth}"));
            let listing = listed(&tree, depth);
            std::fs::hard_link(tree.join("f"), base.path().join(format!("o{depth}"))).expect("linked");
            let parent = open_directory(base.path()).expect("opened");
            let look = || look_as_listed(parent.as_fd(), &format!("t{depth}"), &listing).expect("looked");
            assert_eq!(Reclaim::taken([&look()]), du(&tree), "{depth}");
            let before = du(base.path());
            let freed = Reclaim::default().remove(&look());
            // What somebody added counts, too.
            let inner = (1..depth).fold(tree.clone(), |inside, _| inside.join(format!("d{}", "0".repeat(90))));
            for (directory, added) in [(&tree, "a"), (&inner, "b")] {
                std::fs::create_dir(directory.join(added)).expect("created");
                std::fs::write(directory.join(added).join("more"), [1; 9000]).expect("written");
                assert_eq!(Reclaim::taken([&look()]), du(&tree), "{depth}");
                std::fs::remove_dir_all(directory.join(added)).expect("removed");
            }
            // What is not as it is listed counts as it is.
            std::fs::remove_file(tree.join("l")).expect("removed");
            std::fs::create_dir(tree.join("l")).expect("created");
            std::fs::write(tree.join("l/more"), [1; 9000]).expect("written");
            seal(&tree);
            assert_eq!(Reclaim::taken([&look()]), du(&tree), "{depth}");
            std::fs::remove_dir_all(tree.join("l")).expect("removed");
            std::os::unix::fs::symlink("x".repeat(300), tree.join("l")).expect("linked");
            std::fs::remove_dir_all(&tree).expect("removed");
            assert_eq!(freed, before - du(base.path()), "{depth}");
        }
    }

    /// What a directory takes by itself.
    fn own(place: &std::path::Path) -> u64 {
        use std::os::unix::fs::MetadataExt;
        place.metadata().expect("there").blocks() * 512
    }
}
