//! Descending two trees where they differ. Equal digests are never opened.

use crate::decode::{self, Decoder, Limits};
use crate::reading::{self, Reading, Tokens};
use crate::report::{Change, Difference, DifferenceKind, NodeKind, Report, SCHEMA, Side};
use crate::source::{SourceError, TreeSource};
use std::collections::{BTreeSet, HashMap};
use std::io::Read as _;
use store::{BlobDigest, Directory, EntryName, Node, TreePath};

/// How trees are compared.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// What to call the two sides.
    pub names: (String, String),
    /// What is known to have differed between the runs that made them.
    pub tokens: Tokens,
    /// How much is decoded.
    pub limits: Limits,
}

/// Compares two trees.
///
/// # Errors
/// When something that differs cannot be read.
pub fn compare(left: &dyn TreeSource, right: &dyn TreeSource, options: &Options) -> Result<Report, SourceError> {
    let mut comparison =
        Comparison { left, right, decoder: Decoder::new(options), differences: Vec::new(), lone: Vec::new() };
    comparison.nodes(&TreePath::default(), left.root(), right.root())?;
    let lone = std::mem::take(&mut comparison.lone);
    comparison.differences.extend(pair_renames(lone, &options.tokens));
    let mut differences = comparison.differences;
    differences.sort_by(|a, b| a.path.cmp(&b.path));
    mark_checksum_lists(&mut differences);
    let side = |name: &str, source: &dyn TreeSource| Side { name: name.to_owned(), digest: source.root().digest() };
    Ok(Report { schema: SCHEMA, left: side(&options.names.0, left), right: side(&options.names.1, right), differences })
}

/// Something that one side only has.
struct Lone {
    path: TreePath,
    node: Node,
    on_left: bool,
}

struct Comparison<'a> {
    left: &'a dyn TreeSource,
    right: &'a dyn TreeSource,
    decoder: Decoder<'a>,
    differences: Vec<Difference>,
    lone: Vec<Lone>,
}

impl Comparison<'_> {
    fn nodes(&mut self, path: &TreePath, left: &Node, right: &Node) -> Result<(), SourceError> {
        if left == right {
            return Ok(());
        }
        match (left, right) {
            (Node::Directory(left), Node::Directory(right)) => {
                let (left, right) = (self.left.directory(left)?, self.right.directory(right)?);
                self.directories(path, left, right)
            }
            (Node::Symlink { target: left }, Node::Symlink { target: right }) => {
                self.targets(path, left, right);
                Ok(())
            }
            (Node::File { .. }, Node::File { .. }) => self.files(path, left, right),
            _ => {
                self.push(path, DifferenceKind::Type { left: kind(left), right: kind(right) }, Vec::new());
                Ok(())
            }
        }
    }

    fn directories(&mut self, path: &TreePath, left: &Directory, right: &Directory) -> Result<(), SourceError> {
        let names: BTreeSet<&EntryName> = left.entries().chain(right.entries()).map(|(name, _)| name).collect();
        for name in names {
            let below = path.join(name);
            match (left.get(name), right.get(name)) {
                (Some(left), Some(right)) => self.nodes(&below, left, right)?,
                (Some(node), None) => self.lone(below, node, true)?,
                (None, Some(node)) => self.lone(below, node, false)?,
                (None, None) => {}
            }
        }
        Ok(())
    }

    /// Notes what one side only has: every file and link by itself, so that renames can be found; empty directories too.
    fn lone(&mut self, path: TreePath, node: &Node, on_left: bool) -> Result<(), SourceError> {
        if let Node::Directory(digest) = node {
            let source = if on_left { self.left } else { self.right };
            let directory = source.directory(digest)?;
            if directory.entries().len() > 0 {
                return directory.entries().try_for_each(|(name, child)| self.lone(path.join(name), child, on_left));
            }
        }
        self.lone.push(Lone { path, node: node.clone(), on_left });
        Ok(())
    }

    fn targets(&mut self, path: &TreePath, left: &[u8], right: &[u8]) {
        let readings = reading::of_fragments(&[left], &[right], self.decoder.tokens());
        let kind = DifferenceKind::Target { left: decode::printable(left), right: decode::printable(right) };
        self.push(path, kind, readings);
    }

    fn files(&mut self, path: &TreePath, left: &Node, right: &Node) -> Result<(), SourceError> {
        let (
            Node::File { executable: left_bit, size: left_size, blob: left_blob },
            Node::File { executable: right_bit, size: right_size, blob: right_blob },
        ) = (left, right)
        else {
            return Ok(());
        };
        if left_bit != right_bit {
            self.push(path, DifferenceKind::Executable { left: *left_bit, right: *right_bit }, Vec::new());
        }
        if left_blob != right_blob {
            let changes = self.contents(path, (*left_size, left_blob), (*right_size, right_blob))?;
            let mut readings = Vec::new();
            changes.iter().for_each(|change| change.all_readings(&mut readings));
            let readings = reading::strongest(readings);
            self.push(
                path,
                DifferenceKind::Content { left_size: *left_size, right_size: *right_size, changes },
                readings,
            );
        }
        Ok(())
    }

    fn contents(
        &self,
        path: &TreePath,
        left: (u64, &BlobDigest),
        right: (u64, &BlobDigest),
    ) -> Result<Vec<Change>, SourceError> {
        let mut left_reader = self.left.open(path, left.1)?;
        let mut right_reader = self.right.open(path, right.1)?;
        let failed = |source| SourceError::Read { path: path.to_string().into(), source };
        if left.0.max(right.0) > self.decoder.limits().file_bytes {
            let change = decode::raw::compare_streams(&mut *left_reader, &mut *right_reader).map_err(failed)?;
            return Ok(vec![Change::note("too large to be decoded"), change]);
        }
        let (mut left_bytes, mut right_bytes) = (Vec::new(), Vec::new());
        left_reader.take(left.0).read_to_end(&mut left_bytes).map_err(failed)?;
        right_reader.take(right.0).read_to_end(&mut right_bytes).map_err(failed)?;
        Ok(self.decoder.compare(&left_bytes, &right_bytes))
    }

    fn push(&mut self, path: &TreePath, kind: DifferenceKind, readings: Vec<Reading>) {
        self.differences.push(Difference { path: path.to_string(), kind, readings, follows: None });
    }
}

fn kind(node: &Node) -> NodeKind {
    match node {
        Node::File { .. } => NodeKind::File,
        Node::Symlink { .. } => NodeKind::Symlink,
        Node::Directory(_) => NodeKind::Directory,
    }
}

/// Pairs files that are gone with files that are new and have the same content; the most similar paths first.
fn pair_renames(lone: Vec<Lone>, tokens: &Tokens) -> Vec<Difference> {
    let (left, mut right): (Vec<Lone>, Vec<Lone>) = lone.into_iter().partition(|lone| lone.on_left);
    let mut by_node: HashMap<store::TreeDigest, Vec<usize>> = HashMap::new();
    for (index, lone) in right.iter().enumerate().filter(|(_, lone)| !is_empty_file(&lone.node)) {
        by_node.entry(lone.node.digest()).or_default().push(index);
    }
    let mut paired = BTreeSet::new();
    let mut differences = Vec::new();
    for gone in left {
        let from = gone.path.to_string();
        let candidates = by_node.get_mut(&gone.node.digest()).filter(|_| matches!(gone.node, Node::File { .. }));
        let best = candidates.and_then(|candidates| take_most_similar(candidates, &right, &from));
        match best {
            Some(index) => {
                paired.insert(index);
                differences.push(renamed(from, right[index].path.to_string(), tokens));
            }
            None => differences.push(lone_difference(from, DifferenceKind::Removed { what: kind(&gone.node) })),
        }
    }
    for (_, lone) in right.drain(..).enumerate().filter(|(index, _)| !paired.contains(index)) {
        differences.push(lone_difference(lone.path.to_string(), DifferenceKind::Added { what: kind(&lone.node) }));
    }
    differences
}

/// Empty files are all the same; that says nothing about where one went.
fn is_empty_file(node: &Node) -> bool {
    matches!(node, Node::File { size: 0, .. })
}

fn take_most_similar(candidates: &mut Vec<usize>, right: &[Lone], path: &str) -> Option<usize> {
    // Beyond this many, the first will do: the search is quadratic.
    const MOST: usize = 64;
    let best = (0..candidates.len().min(MOST))
        .max_by_key(|&at| (similarity(path, &right[candidates[at]].path.to_string()), std::cmp::Reverse(at)))?;
    Some(candidates.remove(best))
}

/// Bytes that two paths have in common at their beginnings and ends.
fn similarity(left: &str, right: &str) -> usize {
    let (left, right) = (left.as_bytes(), right.as_bytes());
    let shorter = left.len().min(right.len());
    let prefix = left.iter().zip(right).take_while(|(a, b)| a == b).count();
    let suffix = left.iter().rev().zip(right.iter().rev()).take_while(|(a, b)| a == b).count();
    prefix + suffix.min(shorter - prefix)
}

fn renamed(from: String, to: String, tokens: &Tokens) -> Difference {
    let is_build_id = |path: &str| path.contains(".build-id/");
    let follows = (is_build_id(&from) && is_build_id(&to)).then(|| "it is named after a build id".to_owned());
    let readings = reading::of_fragments(&[from.as_bytes()], &[to.as_bytes()], tokens);
    Difference { path: from, kind: DifferenceKind::Renamed { to }, readings, follows }
}

fn lone_difference(path: String, kind: DifferenceKind) -> Difference {
    let follows = path.contains(".build-id/").then(|| "it is named after a build id".to_owned());
    Difference { path, kind, readings: Vec::new(), follows }
}

/// A list of checksums (`md5sums`, `SHA256SUMS`, `RECORD`) of which only those lines differ that name differing files
/// follows from them.
fn mark_checksum_lists(differences: &mut [Difference]) {
    let paths: Vec<String> = differences.iter().map(|difference| difference.path.clone()).collect();
    for difference in differences.iter_mut() {
        let DifferenceKind::Content { changes, .. } = &difference.kind else { continue };
        let [Change { detail: crate::report::Detail::Text { diff, cut: false }, .. }] = changes.as_slice() else {
            continue;
        };
        let mut named = changed_lines(diff).map(decode::text::named_by_checksum).peekable();
        let others = |file: &str| {
            paths.iter().any(|path| *path != difference.path && path.ends_with(file.trim_start_matches("./")))
        };
        if named.peek().is_some() && named.all(|file| file.is_some_and(others)) {
            difference.follows = Some("it lists checksums of files that differ".to_owned());
        }
    }
}

fn changed_lines(diff: &str) -> impl Iterator<Item = &str> {
    diff.lines().filter_map(|line| line.strip_prefix(['+', '-']))
}
