//! Actions: derivations with every input replaced by the tree it became. An action's digest is the key of build caching.
//!
//! Encoding, version 1 (canonical JSON):
//!
//! ```text
//! { "abi": 1, "args": […], "builder": …, "env": {…}, "fixed": {…}, "inputs": [store path…], "outputs": [name…],
//!   "root": tree digest, "runtime": [store path…], "system": …, "version": 1 }
//! ```
//!
//! `abi` is the version of the sandbox ABI: what a build sees beyond what its derivation names. `root` is the digest of the
//! *merged* tree at `/`, so that what is absent there is covered too. The derivation's name is not part of an action.
//!
//! The digest of its *command* is that of the same without `runtime`, `fixed` and the variable `allowedUnmet`, with a context of its own:
//! they say what the outputs are verified against, and the command sees none of them.

use crate::canonical_json::Json;
use crate::derivation::{Derivation, Input};
use crate::digest::{self, ActionDigest, CommandDigest, TreeDigest};
use crate::store_path::{STORE_DIR, StorePath};
use crate::{base32, derivation};
use std::collections::{BTreeMap, BTreeSet};

const CONTEXT: &str = "larder action v1";
const COMMAND_CONTEXT: &str = "larder command v1";
const VERSION: i64 = 1;

/// The version of the sandbox ABI, for changes by which a build that succeeded could come to something else. Resolutions are not told apart
/// by it: with a new version, their records must get a new kind, so that those of the old one no longer count.
pub const SANDBOX_ABI: i64 = 1;

/// The variable that says which needs of its files are not to be verified.
pub const ALLOWED_UNMET: &str = "allowedUnmet";

/// Bytes of `/larder/store/` and a digest, which identify a placeholder.
const PLACEHOLDER_PREFIX: usize = STORE_DIR.len() + 1 + base32::DIGEST_CHARS;

/// A derivation whose inputs are all known trees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Action {
    /// The derivation, its strings already rewritten.
    resolved: Derivation,
    inputs: BTreeSet<StorePath>,
    root: TreeDigest,
    runtime: BTreeSet<StorePath>,
}

impl Action {
    /// Resolves a derivation: `paths` gives the store path of each of its inputs, `root` is its merged root.
    ///
    /// # Errors
    /// Returns the first input that `paths` does not have.
    pub fn resolve(
        derivation: &Derivation,
        paths: &BTreeMap<Input, StorePath>,
        root: TreeDigest,
    ) -> Result<Self, Input> {
        let path_of = |input: &Input| match input {
            Input::Tree(path) => Ok(path.clone()),
            Input::Output { .. } => paths.get(input).cloned().ok_or_else(|| input.clone()),
        };
        let inputs = derivation.inputs.iter().map(path_of).collect::<Result<_, _>>()?;
        let runtime = derivation.runtime.iter().map(path_of).collect::<Result<_, _>>()?;
        let rewrites = Rewrites::new(derivation.inputs.iter(), paths);
        let mut resolved = derivation.clone();
        rewrites.apply(&mut resolved.builder);
        resolved.args.iter_mut().for_each(|text| rewrites.apply(text));
        resolved.env.values_mut().for_each(|text| rewrites.apply(text));
        Ok(Self { resolved, inputs, root, runtime })
    }

    /// The derivation with its strings rewritten: builder, arguments and environment are as the build sees them.
    #[must_use]
    pub fn resolved(&self) -> &Derivation {
        &self.resolved
    }

    /// Store paths that the strings mention.
    #[must_use]
    pub fn inputs(&self) -> &BTreeSet<StorePath> {
        &self.inputs
    }

    /// The merged root.
    #[must_use]
    pub fn root(&self) -> TreeDigest {
        self.root
    }

    /// Declared run-time dependencies.
    #[must_use]
    pub fn runtime(&self) -> &BTreeSet<StorePath> {
        &self.runtime
    }

    /// The canonical bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let runtime = [("runtime", Json::strings(&self.runtime))];
        let fixed = self.resolved.fixed.as_ref().map(|fixed| ("fixed", fixed.to_json()));
        Json::object(self.fields(|_| true).into_iter().chain(runtime).chain(fixed)).encode()
    }

    /// What can change what the command makes, with those of its variables that are `seen`.
    fn fields(&self, seen: impl Fn(&str) -> bool) -> [(&'static str, Json); 9] {
        let drv = &self.resolved;
        let env = drv.env.iter().filter(|(key, _)| seen(key));
        [
            ("abi", Json::Integer(SANDBOX_ABI)),
            ("args", Json::strings(&drv.args)),
            ("builder", Json::String(drv.builder.clone())),
            ("env", Json::object(env.map(|(key, value)| (key, Json::String(value.clone()))))),
            ("inputs", Json::strings(&self.inputs)),
            ("outputs", Json::strings(&drv.outputs)),
            ("root", Json::String(self.root.to_string())),
            ("system", Json::String(drv.system.clone())),
            ("version", Json::Integer(VERSION)),
        ]
    }

    /// The digest of the canonical bytes.
    #[must_use]
    pub fn digest(&self) -> ActionDigest {
        ActionDigest::from_bytes(digest::derive(CONTEXT, &self.encode()))
    }

    /// The digest of its command: actions of one command differ only in what their outputs are verified against.
    #[must_use]
    pub fn command_digest(&self) -> CommandDigest {
        let fields = self.fields(|variable| variable != ALLOWED_UNMET);
        CommandDigest::from_bytes(digest::derive(COMMAND_CONTEXT, &Json::object(fields).encode()))
    }
}

/// Placeholders of the inputs and the paths they stand for. Text that merely looks like a placeholder stays as it is.
struct Rewrites(BTreeMap<String, (String, String)>);

impl Rewrites {
    fn new<'a>(inputs: impl Iterator<Item = &'a Input>, paths: &BTreeMap<Input, StorePath>) -> Self {
        let rewrite = |input: &Input| {
            let Input::Output { derivation, output } = input else { return None };
            let placeholder = derivation::placeholder(derivation, output);
            let path = paths.get(input)?.to_string();
            Some((placeholder[..PLACEHOLDER_PREFIX].to_owned(), (placeholder, path)))
        };
        Self(inputs.filter_map(rewrite).collect())
    }

    fn apply(&self, text: &mut String) {
        if self.0.is_empty() || !text.contains(STORE_DIR) {
            return;
        }
        let mut rewritten = String::with_capacity(text.len());
        let mut rest = text.as_str();
        while let Some(at) = rest.find(STORE_DIR) {
            let (before, found) = rest.split_at(at);
            rewritten.push_str(before);
            let known = found.get(..PLACEHOLDER_PREFIX).and_then(|prefix| self.0.get(prefix));
            match known.filter(|(placeholder, _)| found.starts_with(placeholder.as_str())) {
                Some((placeholder, path)) => {
                    rewritten.push_str(path);
                    rest = &found[placeholder.len()..];
                }
                None => {
                    rewritten.push_str(STORE_DIR);
                    rest = &found[STORE_DIR.len()..];
                }
            }
        }
        rewritten.push_str(rest);
        *text = rewritten;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::derivation::{FixedOutput, HashMode, OutputName, placeholder};
    use crate::digest::DerivationDigest;
    use crate::file_hash::HashAlgorithm;
    use crate::store_path::StoreName;

    fn name(text: &str) -> StoreName {
        StoreName::parse(text).expect("valid")
    }

    fn tree(byte: u8) -> StorePath {
        StorePath::from_tree(TreeDigest::from_bytes([byte; 32]), name("zlib")).expect("valid")
    }

    fn input() -> Input {
        let derivation =
            StorePath::from_derivation(DerivationDigest::from_bytes([8; 32]), &name("zlib")).expect("valid");
        Input::Output { derivation, output: OutputName::out() }
    }

    fn derivation() -> Derivation {
        let Input::Output { derivation, output } = input() else { unreachable!("an output") };
        let mention = placeholder(&derivation, &output);
        Derivation {
            name: name("x"),
            system: "s".to_owned(),
            builder: "/bin/sh".to_owned(),
            args: vec![format!("-I{mention}/include:{mention}")],
            env: BTreeMap::from([("other".to_owned(), "/larder/store/nothing /larder/storex".to_owned())]),
            inputs: BTreeSet::from([input()]),
            root: Vec::new(),
            overrides: Vec::new(),
            runtime: vec![input()],
            outputs: BTreeSet::from([OutputName::out()]),
            fixed: None,
        }
    }

    fn resolve(byte: u8, root: u8) -> Action {
        let paths = BTreeMap::from([(input(), tree(byte))]);
        Action::resolve(&derivation(), &paths, TreeDigest::from_bytes([root; 32])).expect("all inputs known")
    }

    #[test]
    fn placeholders_become_paths_and_nothing_else_changes() {
        let action = resolve(1, 0);
        assert_eq!(action.resolved().args, [format!("-I{0}/include:{0}", tree(1))]);
        assert_eq!(action.resolved().env["other"], "/larder/store/nothing /larder/storex");
        assert_eq!(action.runtime(), &BTreeSet::from([tree(1)]));
    }

    #[test]
    fn the_digest_follows_the_inputs_and_the_root_only() {
        assert_eq!(resolve(1, 0).digest(), resolve(1, 0).digest());
        assert_ne!(resolve(1, 0).digest(), resolve(2, 0).digest());
        assert_ne!(resolve(1, 0).digest(), resolve(1, 1).digest());
        let renamed = Derivation { name: name("y"), ..derivation() };
        let paths = BTreeMap::from([(input(), tree(1))]);
        let renamed = Action::resolve(&renamed, &paths, TreeDigest::from_bytes([0; 32])).expect("resolved");
        assert_eq!(renamed.digest(), resolve(1, 0).digest(), "a new name alone rebuilds nothing");
    }

    #[test]
    fn the_digest_of_the_command_is_that_of_all_but_what_outputs_are_verified_against() {
        let paths = BTreeMap::from([(input(), tree(1))]);
        let digests = |derivation: &Derivation, root: u8| {
            let root = TreeDigest::from_bytes([root; 32]);
            let action = Action::resolve(derivation, &paths, root).expect("all inputs known");
            (action.digest(), action.command_digest())
        };
        let (action, command) = digests(&derivation(), 0);
        assert_ne!(action.as_bytes(), command.as_bytes());
        let hash = crate::FileHash::parse(&"0".repeat(64), Some(HashAlgorithm::Blake3)).expect("a hash");
        let fixed = Some(FixedOutput { hash, mode: HashMode::Tree });
        let mut waiving = derivation();
        waiving.env.insert(ALLOWED_UNMET.to_owned(), "csh".to_owned());
        let runtime = Derivation { runtime: Vec::new(), ..derivation() };
        for verified in [runtime, Derivation { fixed, ..derivation() }, waiving] {
            let other = digests(&verified, 0);
            assert_ne!(other.0, action);
            assert_eq!(other.1, command);
        }
        let seen = [
            Derivation { system: "t".to_owned(), ..derivation() },
            Derivation { builder: "/bin/other".to_owned(), ..derivation() },
            Derivation { args: Vec::new(), ..derivation() },
            Derivation { env: BTreeMap::new(), ..derivation() },
            Derivation { inputs: BTreeSet::from([Input::Tree(tree(2))]), ..derivation() },
            Derivation { outputs: BTreeSet::from(["doc".parse().expect("a name")]), ..derivation() },
        ];
        let others: BTreeSet<_> =
            seen.iter().map(|seen| digests(seen, 0).1).chain([digests(&derivation(), 1).1]).collect();
        assert_eq!((others.len(), others.contains(&command)), (7, false));
    }

    #[test]
    fn a_missing_input_is_named() {
        let missing = Action::resolve(&derivation(), &BTreeMap::new(), TreeDigest::from_bytes([0; 32]));
        assert_eq!(missing, Err(input()));
    }
}
