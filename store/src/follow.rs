//! Following symbolic links inside a tree, by its listing alone.
//!
//! A tree is seen as a build sees it: at `/`, with other trees at their store paths. So an absolute target begins at the tree's root,
//! unless it is a store path. Nothing leads out of the tree but to a store path.

use crate::listing::TreeListing;
use crate::store_path::{STORE_DIR, StorePath};
use crate::tree::{EntryName, Node, TreePath};

/// Links on one way before it counts as a circle, as in the kernel.
pub const MAX_LINKS: usize = 40;

/// Where a path leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// To something in the tree, on a way without links.
    Inside(TreePath),
    /// Into another store path.
    Other {
        /// The store path.
        path: StorePath,
        /// The way from its root, which may have links.
        inside: TreePath,
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
    Circle(TreePath),
}

/// Finds where a path leads. The last component is followed only if `follow_last` says so.
///
/// # Errors
/// When it leads nowhere.
pub fn follow(listing: &TreeListing, path: &TreePath, follow_last: bool) -> Result<Place, FollowError> {
    // What is still to go, the next component last.
    let mut pending: Vec<Vec<u8>> = path.components().iter().rev().map(|name| name.as_bytes().to_vec()).collect();
    let mut done = TreePath::default();
    let mut links = Vec::new();
    loop {
        let node = listing.get(&done).ok_or_else(|| FollowError::Missing(done.clone()))?;
        if let Node::Symlink { target } = node
            && (follow_last || !pending.is_empty())
        {
            links.push(FollowError::Outside { link: done.clone(), target: target.escape_ascii().to_string() });
            if links.len() > MAX_LINKS {
                return Err(FollowError::Circle(path.clone()));
            }
            pending.extend(target.split(|byte| *byte == b'/').rev().map(<[u8]>::to_vec));
            done = match done.parent() {
                _ if target.starts_with(b"/") => TreePath::default(),
                Some(parent) => parent,
                None => return Err(links.remove(links.len() - 1)),
            };
            if let Some(other) = other_tree(target, &mut pending) {
                return Ok(other);
            }
            continue;
        }
        let Some(name) = pending.pop() else { return Ok(Place::Inside(done)) };
        if !matches!(node, Node::Directory(_)) {
            return Err(FollowError::NotDirectory(done));
        }
        done = match name.as_slice() {
            b"" | b"." => done,
            // Only the target of a link has such a component.
            b".." => match done.parent() {
                Some(parent) => parent,
                None => return Err(links.pop().unwrap_or(FollowError::Missing(done))),
            },
            name => match EntryName::new(name) {
                Ok(name) => done.join(&name),
                Err(_) => return Err(FollowError::Missing(done)),
            },
        };
    }
}

/// The other tree that the target of a link is in. Takes what is still to go behind it.
fn other_tree(target: &[u8], pending: &mut Vec<Vec<u8>>) -> Option<Place> {
    let rest = target.strip_prefix(STORE_DIR.as_bytes())?.strip_prefix(b"/")?;
    let base = rest.split(|byte| *byte == b'/').next()?;
    let path = StorePath::parse_base_name(std::str::from_utf8(base).ok()?).ok()?;
    // The target's own components are the last ones: the empty one before the first slash, those of the store, and the base.
    let to_base = 2 + STORE_DIR.matches('/').count();
    let inside: Vec<_> = pending.drain(..pending.len().checked_sub(to_base)?).rev().collect();
    Some(Place::Other { path, inside: TreePath::parse(&inside.join(&b'/')).ok()? })
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
        ]);
        TreeListing::new(root, directories)
    }

    fn path(text: &str) -> TreePath {
        TreePath::parse(text.as_bytes()).expect("a path")
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
            ("", ""),
        ] {
            assert_eq!(follow(&listing, &path(from), true), Ok(Place::Inside(path(to))), "{from}");
        }
        assert_eq!(follow(&listing, &path("lib/up"), false), Ok(Place::Inside(path("usr/lib/up"))));
        assert_eq!(follow(&listing, &path("other"), false), Ok(Place::Inside(path("other"))));
    }

    #[test]
    fn store_paths_are_other_trees() {
        let place = |inside| Ok(Place::Other { path: other(), inside: path(inside) });
        assert_eq!(follow(&listing(), &path("other"), true), place("a"));
        assert_eq!(follow(&listing(), &path("other/b/c"), true), place("a/b/c"));
        let alone = TreeListing::new(link(&other().to_string()), HashMap::new());
        assert_eq!(follow(&alone, &path(""), true), place(""));
    }

    #[test]
    fn what_leads_nowhere_is_said() {
        let listing = listing();
        let failed = |text| follow(&listing, &path(text), true).expect_err("it leads nowhere");
        assert_eq!(failed("dangling"), FollowError::Missing(path("usr/none")));
        assert_eq!(failed("nothing/x"), FollowError::Missing(path("nothing")));
        assert_eq!(failed("through"), FollowError::NotDirectory(path("usr/lib/file")));
        assert_eq!(failed("lib/self"), FollowError::Circle(path("lib/self")));
        let outside = FollowError::Outside { link: path("out"), target: "../x".to_owned() };
        assert_eq!(failed("out"), outside);
        assert_eq!(failed("out/y"), outside);
    }
}
