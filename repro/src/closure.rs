//! Comparing closures: which packages came, went, got another version or other content, and which files grew or shrank. Pure.

use std::collections::{BTreeMap, BTreeSet};
use store::{Node, StorePath, TreeListing, TreePath};

/// What happened to a package.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    /// Only the later closure has it.
    Came,
    /// Only the earlier closure has it.
    Went,
    /// It has another version.
    Version,
    /// It has the same version and other content.
    Content,
}

impl Fate {
    /// Its name in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Came => "came",
            Self::Went => "went",
            Self::Version => "version",
            Self::Content => "content",
        }
    }
}

/// A member of a closure that the other one has not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its path.
    pub path: StorePath,
    /// Bytes of its files.
    pub bytes: u64,
}

/// A package that is not the same in both closures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// The name without a version; with the output where it is not the usual one.
    pub name: String,
    /// Its paths that only the earlier closure has.
    pub before: Vec<Member>,
    /// Its paths that only the later closure has.
    pub after: Vec<Member>,
    /// What happened to it.
    pub fate: Fate,
}

/// How many paths a closure has, and the bytes of their files.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sum {
    /// Paths.
    pub paths: usize,
    /// Bytes.
    pub bytes: u64,
}

/// In what two closures differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClosureDifference {
    /// By name.
    pub packages: Vec<Package>,
    /// The earlier closure.
    pub before: Sum,
    /// The later closure.
    pub after: Sum,
    /// What both have.
    pub unchanged: Sum,
}

/// A file that is larger or smaller, or that only one side has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileChange {
    /// Where it is in its tree.
    pub path: TreePath,
    /// Its bytes in the earlier tree; `None` if it is not there.
    pub before: Option<u64>,
    /// Its bytes in the later tree; `None` if it is not there.
    pub after: Option<u64>,
}

impl FileChange {
    /// By how much it grew.
    #[must_use]
    pub fn growth(&self) -> i64 {
        growth(self.before.unwrap_or(0), self.after.unwrap_or(0))
    }
}

/// By how much something grew.
#[must_use]
pub fn growth(before: u64, after: u64) -> i64 {
    let difference = i64::try_from(before.abs_diff(after)).unwrap_or(i64::MAX);
    if after >= before { difference } else { -difference }
}

impl Package {
    /// By how much it grew.
    #[must_use]
    pub fn growth(&self) -> i64 {
        let bytes = |members: &[Member]| members.iter().map(|member| member.bytes).sum();
        growth(bytes(&self.before), bytes(&self.after))
    }

    /// The versions on each side, in order.
    #[must_use]
    pub fn versions(&self) -> (Vec<&str>, Vec<&str>) {
        (versions_of(&self.before), versions_of(&self.after))
    }
}

fn versions_of(members: &[Member]) -> Vec<&str> {
    members.iter().map(|member| package_and_version(&member.path).1).collect::<BTreeSet<_>>().into_iter().collect()
}

/// What a path belongs to, and its version: `zlib-1.3` is `zlib` in version `1.3`, `zlib-1.3-dev` is `zlib-dev` in the same version.
fn package_and_version(path: &StorePath) -> (String, &str) {
    let (name, version) = path.name().name_and_version();
    let is_word = |word: &&str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphabetic());
    match version.rsplit_once('-').filter(|(_, output)| is_word(output)) {
        Some((version, output)) => (format!("{name}-{output}"), version),
        None => (name.to_owned(), version),
    }
}

/// Compares two closures, given as paths with the bytes of their files.
#[must_use]
pub fn compare_closures(before: &BTreeMap<StorePath, u64>, after: &BTreeMap<StorePath, u64>) -> ClosureDifference {
    let sum = |members: &BTreeMap<StorePath, u64>, counts: &dyn Fn(&StorePath) -> bool| {
        let counted = members.iter().filter(|(path, _)| counts(path));
        counted.fold(Sum::default(), |sum, (_, bytes)| Sum { paths: sum.paths + 1, bytes: sum.bytes + bytes })
    };
    let mut packages: BTreeMap<String, (Vec<Member>, Vec<Member>)> = BTreeMap::new();
    for (members, others, is_before) in [(before, after, true), (after, before, false)] {
        for (path, bytes) in members.iter().filter(|(path, _)| !others.contains_key(*path)) {
            let (before, after) = packages.entry(package_and_version(path).0).or_default();
            let side = if is_before { before } else { after };
            side.push(Member { path: path.clone(), bytes: *bytes });
        }
    }
    let package = |(name, (before, after)): (String, (Vec<Member>, Vec<Member>))| {
        let fate = match (before.is_empty(), after.is_empty()) {
            (true, _) => Fate::Came,
            (_, true) => Fate::Went,
            _ if versions_of(&before) != versions_of(&after) => Fate::Version,
            _ => Fate::Content,
        };
        Package { name, before, after, fate }
    };
    ClosureDifference {
        packages: packages.into_iter().map(package).collect(),
        before: sum(before, &|_| true),
        after: sum(after, &|_| true),
        unchanged: sum(before, &|path| after.contains_key(path)),
    }
}

/// The files whose sizes differ between two trees, or that only one of them has; a tree may be missing. Those that changed most come first.
#[must_use]
pub fn file_changes(before: Option<&TreeListing>, after: Option<&TreeListing>) -> Vec<FileChange> {
    let (before, after) = (before.map(files).unwrap_or_default(), after.map(files).unwrap_or_default());
    let paths: BTreeSet<_> = before.keys().chain(after.keys()).cloned().collect();
    let change = |path: TreePath| {
        let size = |files: &BTreeMap<TreePath, u64>| files.get(&path).copied();
        let (before, after) = (size(&before), size(&after));
        (before != after).then_some(FileChange { path, before, after })
    };
    let mut changes: Vec<_> = paths.into_iter().filter_map(change).collect();
    changes.sort_by_key(|change| std::cmp::Reverse(change.growth().unsigned_abs()));
    changes
}

fn files(listing: &TreeListing) -> BTreeMap<TreePath, u64> {
    let mut files = BTreeMap::new();
    let mut add = |path: &TreePath, node: &Node| {
        if let Node::File { size, .. } = node {
            files.insert(path.clone(), *size);
        }
    };
    add(&TreePath::default(), listing.root());
    listing.walk(&mut add);
    files
}

#[cfg(test)]
mod tests {
    use super::*;
    use store::{BlobDigest, Directory, EntryName, StoreName, TreeDigest};

    fn path(name: &str, digest: u8) -> StorePath {
        let name = StoreName::parse(name).expect("valid");
        StorePath::from_tree(TreeDigest::from_bytes([digest; 32]), name).expect("valid")
    }

    fn closure(members: &[(&str, u8, u64)]) -> BTreeMap<StorePath, u64> {
        members.iter().map(|(name, digest, bytes)| (path(name, *digest), *bytes)).collect()
    }

    #[test]
    fn each_package_has_its_fate() {
        let before = closure(&[("a-1", 1, 10), ("b-1", 2, 20), ("c-1", 3, 30), ("d-1", 4, 40), ("d-1-dev", 5, 5)]);
        let after = closure(&[("a-1", 1, 10), ("b-2", 6, 25), ("c-1", 7, 28), ("e-1", 8, 1), ("d-1-dev", 9, 6)]);
        let found = compare_closures(&before, &after);
        let told: Vec<_> =
            found.packages.iter().map(|package| (package.name.as_str(), package.fate, package.growth())).collect();
        let expected = [
            ("b", Fate::Version, 5),
            ("c", Fate::Content, -2),
            ("d", Fate::Went, -40),
            ("d-dev", Fate::Content, 1),
            ("e", Fate::Came, 1),
        ];
        assert_eq!(told, expected);
        assert_eq!(found.packages[0].versions(), (vec!["1"], vec!["2"]));
        assert_eq!((found.before, found.after), (Sum { paths: 5, bytes: 105 }, Sum { paths: 5, bytes: 70 }));
        assert_eq!(found.unchanged, Sum { paths: 1, bytes: 10 });
    }

    #[test]
    fn several_versions_of_one_package_stand_together() {
        let before = closure(&[("gcc-12", 1, 1), ("gcc-13", 2, 2)]);
        let after = closure(&[("gcc-13", 2, 2), ("gcc-14", 3, 4)]);
        let found = compare_closures(&before, &after);
        assert_eq!(found.packages.len(), 1);
        assert_eq!(found.packages[0].versions(), (vec!["12"], vec!["14"]), "what both have is no part of it");
        assert!(compare_closures(&before, &before).packages.is_empty());
    }

    #[test]
    fn files_that_changed_most_come_first() {
        let tree = |files: &[(&str, u64)]| {
            let node = |size| Node::File { executable: false, size, blob: BlobDigest::of(b"") };
            let entry = |(name, size): &(&str, u64)| (EntryName::new(name.as_bytes()).expect("a name"), node(*size));
            TreeListing::of_directory(files.iter().map(entry).collect::<Directory>())
        };
        let before = tree(&[("same", 1), ("grew", 5), ("shrank", 100), ("went", 7)]);
        let after = tree(&[("same", 1), ("grew", 6), ("shrank", 1), ("came", 8)]);
        let told = |changes: Vec<FileChange>| -> Vec<_> {
            changes.iter().map(|change| (change.path.to_string(), change.growth())).collect()
        };
        let named = |list: &[(&str, i64)]| list.iter().map(|(name, by)| ((*name).to_owned(), *by)).collect::<Vec<_>>();
        let expected = named(&[("shrank", -99), ("came", 8), ("went", -7), ("grew", 1)]);
        assert_eq!(told(file_changes(Some(&before), Some(&after))), expected);
        let all = named(&[("came", 8), ("grew", 6), ("same", 1), ("shrank", 1)]);
        assert_eq!(told(file_changes(None, Some(&after))), all);
    }
}
