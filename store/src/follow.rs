//! Following symbolic links inside a tree, by its listing alone.
//!
//! A tree is seen as a build sees it: at `/`, with other trees at their store paths. So an absolute target begins at the tree's root, and
//! whatever comes to the directory of the store, by however many `..`, goes on to another tree, unless this one has something of its own
//! there. Nothing else leads out of the tree.

use crate::listing::TreeListing;
use crate::store_path::{STORE_DIR, StorePath};
use crate::tree::{EntryName, Node, TreePath};
use std::fmt;

/// Links on one way before it counts as a circle, as in the kernel.
pub const MAX_LINKS: usize = 40;

/// A way that is still to go. It may go through links, and up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Way {
    /// The next component last; also `.`, `..` and empty ones.
    components: Vec<Vec<u8>>,
    /// Whether the tree was come to by its store path, so that the directory of the store is above its root.
    from_store: bool,
}

impl From<&TreePath> for Way {
    fn from(path: &TreePath) -> Self {
        let components = path.components().iter().rev().map(|name| name.as_bytes().to_vec()).collect();
        Self { components, from_store: false }
    }
}

impl fmt::Display for Way {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, component) in self.components.iter().rev().enumerate() {
            write!(formatter, "{}{}", if at == 0 { "" } else { "/" }, component.escape_ascii())?;
        }
        Ok(())
    }
}

/// Where a path leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// To something in the tree, on a way without links.
    Inside(TreePath),
    /// Into another store path.
    Other {
        /// The store path.
        path: StorePath,
        /// The way from its root.
        inside: Way,
    },
}

/// A path that leads nowhere.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FollowError {
    /// There is nothing.
    #[error("there is no `{0}` in it")]
    Missing(TreePath),
    /// A file or link stands where a directory must be.
    #[error("`{0}` is not a directory")]
    NotDirectory(TreePath),
    /// A link leads out of the tree, to no store path.
    #[error("the symbolic link `{link}` leads out of the tree: to {target}")]
    Outside {
        /// The link.
        link: TreePath,
        /// Its target, printable.
        target: String,
    },
    /// There are too many links, most likely in a circle.
    #[error("`{0}` leads through more than {MAX_LINKS} symbolic links")]
    Circle(Way),
}

/// Finds where a way from the root leads. The last component is followed only if `follow_last` says so.
///
/// # Errors
/// When it leads nowhere.
pub fn follow(listing: &TreeListing, way: &Way, follow_last: bool) -> Result<Place, FollowError> {
    let mut pending = way.components.clone();
    let mut done = TreePath::default();
    let mut links = Vec::new();
    let is_link = matches!(listing.root(), Node::Symlink { .. });
    loop {
        // A tree that is a link is nothing at `/`, where it leads.
        let node = listing.get(&done).filter(|_| !is_link || links.is_empty());
        // Where the tree has nothing, the store is.
        if node.is_none() && (pending.is_empty() || !is_above_store(&done)) {
            return Err(links.pop().filter(|_| is_link).unwrap_or(FollowError::Missing(done)));
        }
        if let Some(Node::Symlink { target }) = node
            && (follow_last || !pending.is_empty())
        {
            links.push(FollowError::Outside { link: done.clone(), target: target.escape_ascii().to_string() });
            if links.len() > MAX_LINKS {
                return Err(FollowError::Circle(way.clone()));
            }
            pending.extend(target.split(|byte| *byte == b'/').rev().map(<[u8]>::to_vec));
            done = match done.parent() {
                _ if target.starts_with(b"/") => TreePath::default(),
                Some(parent) => parent,
                None if way.from_store => directory_of_store(),
                None => return Err(links.remove(links.len() - 1)),
            };
            continue;
        }
        let Some(name) = pending.pop() else { return Ok(Place::Inside(done)) };
        if !matches!(node, None | Some(Node::Directory(_))) {
            return Err(FollowError::NotDirectory(done));
        }
        done = match name.as_slice() {
            b"" | b"." => done,
            b".." => match done.parent() {
                Some(parent) => parent,
                None if way.from_store => directory_of_store(),
                None => return Err(links.pop().unwrap_or(FollowError::Missing(done))),
            },
            name => {
                let Ok(entry) = EntryName::new(name) else { return Err(FollowError::Missing(done)) };
                let below = done.join(&entry);
                match other_tree(&done, name).filter(|_| listing.get(&below).is_none()) {
                    None => below,
                    // Nothing of the other tree is asked for.
                    Some(_) if goes_up(&mut pending) => done,
                    Some(path) => {
                        return Ok(Place::Other { path, inside: Way { components: pending, from_store: true } });
                    }
                }
            }
        };
    }
}

fn directory_of_store() -> TreePath {
    TreePath::parse(STORE_DIR.trim_start_matches('/').as_bytes()).unwrap_or_default()
}

/// Whether the directory of the store is this directory, or is below it.
fn is_above_store(directory: &TreePath) -> bool {
    directory_of_store().components().starts_with(directory.components())
}

/// The tree that a name in a directory is, if that is the directory of the store.
fn other_tree(directory: &TreePath, name: &[u8]) -> Option<StorePath> {
    let name = std::str::from_utf8(name).ok().filter(|_| *directory == directory_of_store())?;
    StorePath::parse_base_name(name).ok()
}

/// Takes a `..` off, and what stands before it without leading anywhere. Says whether there was one.
fn goes_up(pending: &mut Vec<Vec<u8>>) -> bool {
    while pending.last().is_some_and(|name| matches!(name.as_slice(), b"" | b".")) {
        pending.pop();
    }
    pending.pop_if(|name| name == b"..").is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::{BlobDigest, TreeDigest};
    use crate::store_path::StoreName;
    use crate::tree::Directory;
    use std::collections::HashMap;

    fn link(target: &str) -> Node {
        Node::Symlink { target: target.as_bytes().to_vec() }
    }

    fn file() -> Node {
        Node::File { executable: false, size: 1, blob: BlobDigest::of(b"x") }
    }

    fn other() -> StorePath {
        let name = StoreName::parse("other").expect("valid");
        StorePath::from_tree(TreeDigest::from_bytes([3; 32]), name).expect("valid")
    }

    /// `usr/lib/{file,up,self}` and links to it.
    fn listing() -> TreeListing {
        let mut directories = HashMap::new();
        let mut directory = |entries: Vec<(&str, Node)>| {
            let named =
                entries.into_iter().map(|(name, node)| (EntryName::new(name.as_bytes()).expect("a name"), node));
            let directory: Directory = named.collect();
            let digest = directory.digest();
            directories.insert(digest, directory);
            Node::Directory(digest)
        };
        let lib = directory(vec![("file", file()), ("up", link("../../top/file")), ("self", link("self"))]);
        let usr = directory(vec![("lib", lib)]);
        let root = directory(vec![
            ("usr", usr),
            ("lib", link("usr/lib")),
            ("absolute", link("/usr//lib/./file")),
            ("top", link("lib/")),
            ("out", link("../x")),
            ("dangling", link("usr/none")),
            ("other", link(&format!("{}/a", other()))),
            ("through", link("usr/lib/file/x")),
            ("up", link("usr/lib/../lib/../../lib/file")),
            ("aside", link(&format!("usr/..//larder/./store/{base}/lib/../bin", base = other().base_name()))),
            ("back", link(&format!("/larder/store/{base}/.././{base}/x/..", base = other().base_name()))),
            ("store", link("/larder/store")),
            ("leaving", link(&format!("{}/../../../usr/lib/file", other()))),
        ]);
        TreeListing::new(root, directories)
    }

    fn path(text: &str) -> TreePath {
        TreePath::parse(text.as_bytes()).expect("a path")
    }

    fn way(text: &str) -> Way {
        let components = text.split('/').rev().filter(|name| !name.is_empty()).map(Into::into).collect();
        Way { components, from_store: false }
    }

    #[test]
    fn links_are_followed_inside() {
        let listing = listing();
        for (from, to) in [
            ("lib/file", "usr/lib/file"),
            ("absolute", "usr/lib/file"),
            ("lib/up", "usr/lib/file"),
            ("top/up", "usr/lib/file"),
            ("lib", "usr/lib"),
            ("up", "usr/lib/file"),
            ("leaving", "usr/lib/file"),
            ("", ""),
        ] {
            assert_eq!(follow(&listing, &way(from), true), Ok(Place::Inside(path(to))), "{from}");
        }
        assert_eq!(follow(&listing, &way("lib/up"), false), Ok(Place::Inside(path("usr/lib/up"))));
        assert_eq!(follow(&listing, &way("other"), false), Ok(Place::Inside(path("other"))));
    }

    #[test]
    fn store_paths_are_other_trees() {
        let place = |inside| Ok(Place::Other { path: other(), inside: Way { from_store: true, ..way(inside) } });
        assert_eq!(follow(&listing(), &way("other"), true), place("a"));
        assert_eq!(follow(&listing(), &way("other/b/c"), true), place("a/b/c"));
        assert_eq!(follow(&listing(), &way("aside/tool"), true), place("lib/../bin/tool"));
        assert_eq!(follow(&listing(), &way("back"), true), place("x/.."));
        let from_store = Way { from_store: true, ..way(&format!("usr/../../{}/a", other().base_name())) };
        assert_eq!(follow(&listing(), &from_store, true), place("a"));
        let alone = TreeListing::new(link(&other().to_string()), HashMap::new());
        assert_eq!(follow(&alone, &way(""), true), place(""));
        let beside = TreeListing::new(link(&format!("{}/x", other().base_name())), HashMap::new());
        assert_eq!(follow(&beside, &Way { from_store: true, ..way("") }, true), place("x"));
    }

    /// An image may have a store of its own.
    #[test]
    fn what_a_tree_has_itself_is_no_other_tree() {
        let mut directories = HashMap::new();
        let mut node = file();
        for name in [&other().base_name(), "store", "larder"] {
            let directory: Directory = [(EntryName::new(name.as_bytes()).expect("a name"), node)].into_iter().collect();
            node = Node::Directory(directory.digest());
            directories.insert(directory.digest(), directory);
        }
        let listing = TreeListing::new(node, directories);
        let inside = format!("larder/store/{}", other().base_name());
        assert_eq!(follow(&listing, &way(&inside), true), Ok(Place::Inside(path(&inside))));
    }

    #[test]
    fn what_leads_nowhere_is_said() {
        let listing = listing();
        let failed = |text| follow(&listing, &way(text), true).expect_err("it leads nowhere");
        assert_eq!(failed("dangling"), FollowError::Missing(path("usr/none")));
        assert_eq!(failed("nothing/x"), FollowError::Missing(path("nothing")));
        assert_eq!(failed("through"), FollowError::NotDirectory(path("usr/lib/file")));
        assert_eq!(failed("lib/self"), FollowError::Circle(way("lib/self")));
        let outside = FollowError::Outside { link: path("out"), target: "../x".to_owned() };
        assert_eq!(failed("out"), outside);
        assert_eq!(failed("out/y"), outside);
        let passwd = FollowError::Outside { link: path(""), target: "/etc/passwd".to_owned() };
        assert_eq!(follow(&TreeListing::new(link("/etc/passwd"), HashMap::new()), &way(""), true), Err(passwd));
        assert_eq!(failed("store"), FollowError::Missing(path("larder/store")));
        assert_eq!(failed("store/x"), FollowError::Missing(path("larder/store/x")));
    }
}
