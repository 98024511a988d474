//! Makes a store of many small trees that refer to each other, through the same calls as all else that adds to a store.
//!
//! ```text
//! synthetic STORE LIVE DEAD [--builds] [--shared]
//! ```
//!
//! Two graphs, of `LIVE` and of `DEAD` trees. Tree n of a graph mentions 2n+1, 2n+2 and another one after it, so tree 0 reaches them all;
//! that of the live graph gets a root. A third of the trees are single files; the others have two, one of which stands in three more
//! trees. With `--builds` each is what a derivation made that has those of the trees it mentions as inputs. With `--shared` trees are directories
//! of a few files that many trees share, so that a million of them fit on a disk; what they mention is then only said in their records. Prints
//! the two trees 0.

#![expect(clippy::disallowed_methods, reason = "what is below the staging directory is no store yet")]
#![expect(clippy::print_stdout, reason = "it is a program")]

use std::collections::BTreeSet;
use std::error::Error;
use std::fmt::Write;
use std::path::Path;
use store::derivation::{Derivation, Input, OutputName};
use store::local::publish::BuildResult;
use store::local::{BuildCost, LocalStore, OpenOptions, Sealed};
use store::tree::EntryName;
use store::{ActionDigest, BlobDigest, Node, StoreName, StorePath, TreeListing};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [root, live, dead, flags @ ..] = &arguments[..] else {
        return Err("usage: synthetic STORE LIVE DEAD [--builds] [--shared]".into());
    };
    let (live, dead) = (live.parse()?, dead.parse()?);
    let has = |flag: &str| flags.iter().any(|given| given == flag);
    let store = LocalStore::open(Path::new(root), OpenOptions { durable: false })?;
    for (name, count) in [("live", live), ("dead", dead)] {
        let shared = if has("--shared") { shared_files(&store)? } else { Vec::new() };
        let mut graph = Graph { store: &store, name, builds: has("--builds"), shared, made: vec![None; count] };
        for number in (0..count).rev() {
            graph.make(number)?;
        }
        if let Some(Some(made)) = graph.made.first() {
            println!("{name} {}", made.path);
            if name == "live" {
                store.add_root("live", &made.path)?;
            }
        }
    }
    Ok(())
}

/// A tree that was made, and the derivation that is said to have made it.
#[derive(Clone)]
struct Made {
    path: StorePath,
    derivation: Option<StorePath>,
}

struct Graph<'a> {
    store: &'a LocalStore,
    name: &'static str,
    builds: bool,
    /// Files that many trees have; empty if each has its own.
    shared: Vec<Node>,
    made: Vec<Option<Made>>,
}

impl Graph<'_> {
    fn make(&mut self, number: usize) -> Result<(), Box<dyn Error>> {
        let needed: Vec<_> =
            successors(number, self.made.len()).into_iter().filter_map(|at| self.made[at].clone()).collect();
        let name = StoreName::parse(&format!("{}-{number}", self.name))?;
        let sealed = self.tree(number, &needed)?;
        let (path, derivation) =
            if self.builds { self.build(name, sealed, &needed)? } else { (self.store.publish(sealed, name)?, None) };
        self.made[number] = Some(Made { path, derivation });
        Ok(())
    }

    fn tree(&self, number: usize, needed: &[Made]) -> Result<Sealed, Box<dyn Error>> {
        if !self.shared.is_empty() {
            let entry = |at: usize| {
                let name = EntryName::new(format!("{}-{number}-{at}", self.name).as_bytes())?;
                Ok((name, self.shared[(number / 100 + at) % self.shared.len()].clone()))
            };
            let directory = (0..2).map(entry).collect::<Result<_, Box<dyn Error>>>()?;
            let references = needed.iter().filter_map(|made| made.path.tree()).collect();
            return Ok(self.store.stage_listing(&TreeListing::of_directory(directory), Some(references))?);
        }
        let mut text = format!("tree {number} of the {} graph\n", self.name);
        needed.iter().try_for_each(|made| writeln!(text, "{}/text", made.path))?;
        let staging = self.store.stage()?;
        let place = staging.path().join("out");
        if number.is_multiple_of(3) {
            std::fs::write(&place, text)?;
        } else {
            std::fs::create_dir(&place)?;
            std::fs::write(place.join("text"), text)?;
            // The same in both graphs, and for a neighbour.
            std::fs::write(place.join("data"), format!("{:>1000}\n", number / 3))?;
        }
        Ok(self.store.seal(staging, &place)?)
    }

    fn build(
        &self,
        name: StoreName,
        sealed: Sealed,
        needed: &[Made],
    ) -> Result<(StorePath, Option<StorePath>), Box<dyn Error>> {
        let input = |made: &Made| {
            let derivation = made.derivation.clone()?;
            Some(Input::Output { derivation, output: OutputName::out() })
        };
        let derivation = Derivation {
            name: name.clone(),
            system: "x86_64-linux".to_owned(),
            builder: "/bin/sh".to_owned(),
            args: vec!["-c".to_owned(), "make install".to_owned()],
            env: Default::default(),
            inputs: needed.iter().filter_map(input).collect(),
            root: Vec::new(),
            overrides: Vec::new(),
            runtime: Vec::new(),
            outputs: BTreeSet::from([OutputName::out()]),
            fixed: None,
        };
        let path = self.store.add_derivation(derivation.clone())?;
        let digest = derivation.digest();
        let result = BuildResult {
            derivation: digest,
            name,
            action: ActionDigest::from_bytes(*digest.as_bytes()),
            outputs: vec![(OutputName::out(), sealed)],
            runtime: BTreeSet::new(),
            cost: BuildCost { finished: 1, duration_ms: 1, cpu_ms: 1, memory: 1 },
        };
        let published = self.store.publish_build(result)?.remove(0);
        Ok((published.path, Some(path)))
    }
}

/// Publishes some files, to be shared by trees.
fn shared_files(store: &LocalStore) -> Result<Vec<Node>, Box<dyn Error>> {
    let one = |number: usize| {
        let content = format!("{number:>1000}\n");
        store.add_bytes(content.as_bytes(), false, StoreName::parse(&format!("shared-{number}"))?)?;
        let blob = BlobDigest::of(content.as_bytes());
        Ok(Node::File { executable: false, size: content.len() as u64, blob })
    };
    (0..1000).map(one).collect()
}

/// Those that tree `number` of `count` mentions.
fn successors(number: usize, count: usize) -> BTreeSet<usize> {
    let next = 2 * number + 1;
    let left = count.saturating_sub(next + 1);
    let other = if left == 0 { next } else { next + number.wrapping_mul(2_654_435_761) % left };
    [next, next + 1, other].into_iter().filter(|at| *at < count).collect()
}
