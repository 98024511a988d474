//! Verifying objects: all there are, or those that flawed files of trees are links to.

use super::{Contents, Flaw, LocalStore, Problem, tree};
use crate::local::StoreError;
use crate::local::fsutil;
use crate::local::layout::{object_name, parse_object_name};
use crate::store_path::StorePath;
use crate::tree::{EntryName, Node, TreePath};
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ffi::OsStr;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;

impl LocalStore {
    /// Verifies the objects, and finds what lies among them that is none.
    pub(super) fn verify_objects(&self, contents: &Contents<'_>) -> Result<Vec<Problem>, StoreError> {
        let names = self.names_in_objects()?;
        if contents.is_estimated() {
            let size = |name: &Vec<u8>| fsutil::size_at(self.objects.as_fd(), OsStr::from_bytes(name));
            contents.expect(names.par_iter().map(size).sum());
        }
        let one = |name: &Vec<u8>| match std::str::from_utf8(name).ok().filter(|name| parse_object_name(name).is_some())
        {
            Some(name) => self.verify_object(name, contents),
            None => vec![Problem::Foreign(fsutil::join_bytes(&self.layout.objects(), name))],
        };
        Ok(names.par_iter().flat_map_iter(one).collect())
    }

    pub(super) fn verify_object(&self, name: &str, contents: &Contents<'_>) -> Vec<Problem> {
        let Some((blob, executable)) = parse_object_name(name) else { return Vec::new() };
        let flaws = match contents.look(self.objects.as_fd(), OsStr::new(name)) {
            // Collected since it was listed.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(_) => vec![Flaw::Unreadable],
            Ok((stat, digest)) => {
                contents.note_object(&stat);
                let content = digest.filter(|digest| *digest != blob).map(|_| Flaw::Content);
                let sealed = tree::sealed_flaws(&stat, executable);
                sealed.map_or_else(|flaw| vec![flaw], |flaws| flaws.into_iter().chain(content).collect())
            }
        };
        let problem = |flaw| Problem::Object { path: self.layout.objects().join(name), flaw };
        flaws.into_iter().map(problem).collect()
    }

    /// What else is wrong with the objects of files of trees that are wrong: mostly both are one file, and whoever adds such a file next would
    /// be given a link to it.
    pub(super) fn objects_behind(&self, problems: &[Problem], contents: &Contents<'_>) -> Vec<Problem> {
        let mut flawed = BTreeMap::<&StorePath, FlawedPlaces<'_>>::new();
        for problem in problems {
            if let Problem::Tree { path, inside, flaw } = problem {
                flawed.entry(path).or_default().insert(inside.components(), *flaw);
            }
        }
        let names: BTreeSet<_> = flawed.iter().flat_map(|(path, places)| self.objects_at(path, places)).collect();
        let found: Vec<_> = names
            .par_iter()
            .filter(|name| self.is_in_directory(name))
            .flat_map_iter(|name| self.verify_object(name, contents))
            .collect();
        found.into_iter().filter(|problem| !problems.contains(problem)).collect()
    }

    /// Whether the directory of an object is one, and not a link to elsewhere.
    fn is_in_directory(&self, object: &str) -> bool {
        let directory = object.split_once('/').map_or(object, |(directory, _)| directory);
        fsutil::open_directory_at(self.objects.as_fd(), OsStr::new(directory)).is_ok()
    }

    /// The names of the objects of files at these places of a tree.
    fn objects_at(&self, path: &StorePath, places: &FlawedPlaces<'_>) -> Vec<String> {
        let Some(Ok(listing)) = path.tree().map(|tree| self.listing(&tree)) else { return Vec::new() };
        let mut names = Vec::new();
        let mut collect = |inside: &TreePath, node: &Node| match node {
            Node::File { executable, blob, .. } if places.concern(inside.components()) => {
                names.push(object_name(blob, *executable));
            }
            _ => {}
        };
        collect(&TreePath::default(), listing.root());
        listing.walk(&mut collect);
        names
    }
}

/// Where in a tree something is wrong.
#[derive(Default)]
struct FlawedPlaces<'p> {
    /// These were looked at.
    seen: HashSet<&'p [EntryName]>,
    /// Nobody could look at these, nor at what is below them.
    hidden: HashSet<&'p [EntryName]>,
}

impl<'p> FlawedPlaces<'p> {
    fn insert(&mut self, place: &'p [EntryName], flaw: Flaw) {
        match flaw {
            Flaw::NoObject | Flaw::Extra => false,
            Flaw::Missing | Flaw::NotDirectory | Flaw::Unreadable => self.hidden.insert(place),
            _ => self.seen.insert(place),
        };
    }

    /// Whether the file at this place may be another one than it should be.
    fn concern(&self, place: &[EntryName]) -> bool {
        self.seen.contains(place) || (0..=place.len()).any(|length| self.hidden.contains(&place[..length]))
    }
}
