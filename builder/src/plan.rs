//! Plans: what must be realised for a set of derivations, and in which order. Pure, over what a [`PlanSource`] says.
//!
//! A derivation that is realised is not looked behind, so a plan for what is already there costs one look-up. What comes after a
//! derivation that must be built is planned too, but may turn out to be there: its action is known only when its inputs are.

use crate::event::Kind;
use std::collections::{BTreeMap, HashMap};
use store::derivation::OutputName;
use store::local::BuildCost;
use store::{Derivation, DerivationDigest, Input, StoreName, StorePath};

/// What a plan must know of a store.
pub trait PlanSource {
    /// Why it cannot answer.
    type Error;

    /// A derivation by its digest.
    ///
    /// # Errors
    /// When there is none, or it cannot be read.
    fn derivation(&self, digest: &DerivationDigest) -> Result<Derivation, Self::Error>;

    /// The valid paths of all outputs of a derivation, or `None` if one of them is missing. What is returned stays valid.
    ///
    /// # Errors
    /// When the store cannot be asked.
    fn outputs(
        &self,
        path: &StorePath,
        derivation: &Derivation,
    ) -> Result<Option<BTreeMap<OutputName, StorePath>>, Self::Error>;

    /// What it took last time.
    ///
    /// # Errors
    /// When the store cannot be asked.
    fn expected(&self, derivation: &Derivation) -> Result<Option<Expected>, Self::Error>;

    /// What the last build of any version of a package took.
    ///
    /// # Errors
    /// When the store cannot be asked.
    fn expected_of_package(&self, package: &str) -> Result<Option<Expected>, Self::Error>;
}

/// What a derivation is expected to take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expected {
    /// Milliseconds.
    pub duration: u64,
    /// Bytes of memory.
    pub memory: u64,
}

impl From<BuildCost> for Expected {
    fn from(cost: BuildCost) -> Self {
        Self { duration: cost.duration_ms, memory: cost.memory }
    }
}

/// One derivation to realise.
#[derive(Debug, Clone)]
pub struct Job {
    /// Its store path.
    pub path: StorePath,
    /// The derivation.
    pub derivation: Derivation,
    /// The jobs that must be done before, by their numbers.
    pub needs: Vec<usize>,
    /// The jobs that wait for this one.
    pub needed_by: Vec<usize>,
    /// What it is expected to take, if it or another version of it was ever done.
    pub expected: Option<Expected>,
    /// Expected milliseconds from its start to the end of all that waits for it.
    pub priority: u64,
}

impl Job {
    /// What kind of work it is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        kind(&self.derivation)
    }
}

/// What kind of work a derivation is.
#[must_use]
pub fn kind(derivation: &Derivation) -> Kind {
    match derivation.builtin() {
        Some("fetch") => Kind::Fetch,
        Some(_) => Kind::Builtin,
        None => Kind::Build,
    }
}

/// What is to be done.
#[derive(Debug, Default)]
pub struct Plan {
    /// The jobs; those that others need stand before them.
    pub jobs: Vec<Job>,
    /// Outputs that are valid already.
    pub known: BTreeMap<Input, StorePath>,
}

/// Milliseconds that work of a kind is taken to need when it was never done.
const fn assumed(kind: Kind) -> u64 {
    match kind {
        Kind::Fetch => 1_000,
        Kind::Builtin => 200,
        Kind::Build => 10_000,
    }
}

/// Plans the realisation of `targets`. Those of them for which `again` says so are done even if they are realised.
///
/// # Errors
/// When the source cannot answer.
pub fn plan<S: PlanSource>(
    source: &S,
    targets: &[StorePath],
    again: &dyn Fn(&StorePath) -> bool,
) -> Result<Plan, S::Error> {
    let mut plan = Plan::default();
    let mut numbers: HashMap<StorePath, Option<usize>> = HashMap::new();
    // Depth first with an explicit stack: graphs may be deeper than this thread's.
    let mut pending: Vec<(StorePath, Option<Derivation>)> =
        targets.iter().rev().map(|path| (path.clone(), None)).collect();
    while let Some((path, opened)) = pending.pop() {
        if numbers.contains_key(&path) {
            continue;
        }
        let Some(digest) = path.derivation() else { continue };
        if let Some(derivation) = opened {
            numbers.insert(path.clone(), Some(plan.jobs.len()));
            plan.push(source.expected(&derivation)?, path, derivation, &numbers);
            continue;
        }
        let derivation = source.derivation(&digest)?;
        if !again(&path)
            && let Some(outputs) = source.outputs(&path, &derivation)?
        {
            plan.add_known(&path, outputs);
            numbers.insert(path, None);
            continue;
        }
        let inputs: Vec<_> = derivation.all_inputs().into_iter().filter_map(derivation_of).cloned().collect();
        pending.push((path, Some(derivation)));
        pending
            .extend(inputs.into_iter().rev().filter(|input| !numbers.contains_key(input)).map(|input| (input, None)));
    }
    plan.estimate(source)?;
    plan.prioritise();
    Ok(plan)
}

/// What stands before the version in a name: before the first `-` and digit.
fn package_of(name: &StoreName) -> Option<&str> {
    let name = name.as_str();
    let at = name.as_bytes().windows(2).position(|pair| pair[0] == b'-' && pair[1].is_ascii_digit())?;
    Some(&name[..at])
}

fn derivation_of(input: &Input) -> Option<&StorePath> {
    match input {
        Input::Output { derivation, .. } => Some(derivation),
        Input::Tree(_) => None,
    }
}

impl Plan {
    fn push(
        &mut self,
        expected: Option<Expected>,
        path: StorePath,
        derivation: Derivation,
        numbers: &HashMap<StorePath, Option<usize>>,
    ) {
        let number = self.jobs.len();
        let inputs = derivation.all_inputs();
        let mut needs: Vec<usize> = inputs
            .into_iter()
            .filter_map(derivation_of)
            .filter_map(|input| numbers.get(input).copied().flatten())
            .collect();
        needs.sort_unstable();
        needs.dedup();
        for need in &needs {
            self.jobs[*need].needed_by.push(number);
        }
        self.jobs.push(Job { path, derivation, needs, needed_by: Vec::new(), expected, priority: 0 });
    }

    /// Adds the outputs of a derivation that is realised.
    pub fn add_known(&mut self, derivation: &StorePath, outputs: BTreeMap<OutputName, StorePath>) {
        let input = |output| Input::Output { derivation: derivation.clone(), output };
        self.known.extend(outputs.into_iter().map(|(output, path)| (input(output), path)));
    }

    /// What was never built is expected to take what another version of it took.
    fn estimate<S: PlanSource>(&mut self, source: &S) -> Result<(), S::Error> {
        let mut packages: HashMap<String, Option<Expected>> = HashMap::new();
        for job in self.jobs.iter_mut().filter(|job| job.expected.is_none() && job.kind() == Kind::Build) {
            let Some(package) = package_of(&job.derivation.name) else { continue };
            job.expected = match packages.get(package) {
                Some(expected) => *expected,
                None => {
                    let expected = source.expected_of_package(package)?;
                    packages.insert(package.to_owned(), expected);
                    expected
                }
            };
        }
        Ok(())
    }

    /// Longest path first: what keeps most work waiting is the most urgent.
    fn prioritise(&mut self) {
        for number in (0..self.jobs.len()).rev() {
            let job = &self.jobs[number];
            let after = job.needed_by.iter().map(|&later| self.jobs[later].priority).max().unwrap_or(0);
            self.jobs[number].priority =
                after + job.expected.map_or(assumed(job.kind()), |expected| expected.duration).max(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::convert::Infallible;
    use store::TreeDigest;

    #[derive(Default)]
    struct Memory {
        derivations: HashMap<DerivationDigest, Derivation>,
        realised: BTreeSet<StorePath>,
    }

    impl Memory {
        fn add(&mut self, name: &str, needs: &[&StorePath]) -> StorePath {
            let input = |path: &&StorePath| Input::Output { derivation: (*path).clone(), output: OutputName::out() };
            let derivation = Derivation {
                name: StoreName::parse(name).expect("valid"),
                system: "s".to_owned(),
                builder: "/b".to_owned(),
                args: Vec::new(),
                env: BTreeMap::new(),
                inputs: needs.iter().map(input).collect(),
                root: Vec::new(),
                overrides: Vec::new(),
                runtime: Vec::new(),
                outputs: BTreeSet::from([OutputName::out()]),
                fixed: None,
            };
            let path = derivation.store_path().expect("valid");
            self.derivations.insert(derivation.digest(), derivation);
            path
        }
    }

    impl PlanSource for Memory {
        type Error = Infallible;

        fn derivation(&self, digest: &DerivationDigest) -> Result<Derivation, Infallible> {
            Ok(self.derivations[digest].clone())
        }

        fn outputs(
            &self,
            path: &StorePath,
            derivation: &Derivation,
        ) -> Result<Option<BTreeMap<OutputName, StorePath>>, Infallible> {
            let tree = StorePath::from_tree(TreeDigest::from_bytes([0; 32]), derivation.name.clone()).expect("valid");
            Ok(self.realised.contains(path).then(|| BTreeMap::from([(OutputName::out(), tree)])))
        }

        fn expected(&self, _: &Derivation) -> Result<Option<Expected>, Infallible> {
            Ok(None)
        }

        fn expected_of_package(&self, package: &str) -> Result<Option<Expected>, Infallible> {
            Ok((package == "slow").then_some(Expected { duration: 60_000, memory: 1 }))
        }
    }

    fn names(plan: &Plan) -> Vec<&str> {
        plan.jobs.iter().map(|job| job.derivation.name.as_str()).collect()
    }

    fn plan_of(memory: &Memory, target: &StorePath) -> Plan {
        plan(memory, std::slice::from_ref(target), &|_| false).unwrap_or_else(|never| match never {})
    }

    #[test]
    fn what_is_needed_comes_first_and_once() {
        let mut memory = Memory::default();
        let base = memory.add("base", &[]);
        let left = memory.add("left", &[&base]);
        let right = memory.add("right", &[&base]);
        let top = memory.add("top", &[&left, &right]);
        let plan = plan_of(&memory, &top);
        assert_eq!(plan.jobs.len(), 4);
        assert_eq!((names(&plan)[0], names(&plan)[3]), ("base", "top"));
        for (number, job) in plan.jobs.iter().enumerate() {
            assert!(job.needs.iter().all(|&need| need < number));
        }
        assert!(plan.jobs[0].priority > plan.jobs[1].priority && plan.jobs[1].priority > plan.jobs[3].priority);
    }

    #[test]
    fn nothing_is_looked_for_behind_what_is_realised() {
        let mut memory = Memory::default();
        let base = memory.add("base", &[]);
        let middle = memory.add("middle", &[&base]);
        let top = memory.add("top", &[&middle]);
        memory.realised.insert(middle.clone());
        memory.derivations.remove(&base.derivation().expect("a derivation"));
        let plan = plan_of(&memory, &top);
        assert_eq!(names(&plan), ["top"]);
        assert_eq!(plan.known.len(), 1);
    }

    #[test]
    fn another_version_says_what_to_expect() {
        let mut memory = Memory::default();
        let slow = memory.add("slow-2.0-rc1", &[]);
        let quick = memory.add("slow-motion", &[]);
        let top = memory.add("top", &[&quick, &slow]);
        let plan = plan_of(&memory, &top);
        let expected = |name: &str| plan.jobs.iter().find(|job| job.derivation.name.as_str() == name).unwrap().expected;
        assert_eq!(expected("slow-2.0-rc1"), Some(Expected { duration: 60_000, memory: 1 }));
        assert_eq!(expected("slow-motion"), None);
    }

    #[test]
    fn a_chain_may_be_deeper_than_any_stack() {
        let mut memory = Memory::default();
        let mut last = memory.add("p0", &[]);
        for number in 1..100_000 {
            last = memory.add(&format!("p{number}"), &[&last]);
        }
        assert_eq!(plan_of(&memory, &last).jobs.len(), 100_000);
    }
}
