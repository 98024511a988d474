//! Questions whose answer is a list.

use super::{AboutDerivations, Asked, closure_of, trees_of_target};
use crate::CommandResult;
use crate::context::Context;
use crate::error::CliError;
use crate::look::{Look, human};
use crate::output;
use serde_json::json;
use std::collections::BTreeSet;
use std::process::ExitCode;
use store::StorePath;
use store::gc::GcPolicy;
use store::local::{LocalStore, Root};
use store::shown;

/// A question whose answer can be asked about again.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    asked: Asked,
    #[command(flatten)]
    about: AboutDerivations,
    /// Ask about the answers, too, until there are no more
    #[arg(short = 'R', long)]
    recursive: bool,
}

/// A question about trees or derivations.
#[derive(Debug, clap::Args)]
pub(super) struct ClosureArgs {
    #[command(flatten)]
    asked: Asked,
    #[command(flatten)]
    about: AboutDerivations,
}

/// A question about trees.
#[derive(Debug, clap::Args)]
pub(super) struct PlainArgs {
    #[command(flatten)]
    pub(super) asked: Asked,
}

/// What is asked about, by kind.
struct Subjects {
    derivations: Vec<StorePath>,
    trees: Vec<StorePath>,
}

impl Subjects {
    fn of(context: &Context, asked: &Asked, about: AboutDerivations) -> Result<Self, CliError> {
        let mut subjects = Self { derivations: Vec::new(), trees: Vec::new() };
        for target in asked.targets(context)? {
            match about.derivation(context, &target)? {
                Some(derivation) => subjects.derivations.push(derivation),
                None => subjects.trees.extend(trees_of_target(context, &target)?),
            }
        }
        Ok(subjects)
    }
}

pub(super) fn references(context: &Context, args: &Args) -> CommandResult {
    let store = context.store()?;
    let subjects = Subjects::of(context, &args.asked, args.about)?;
    let answer = if args.recursive { all_below(store, &subjects)? } else { directly_below(store, &subjects)? };
    print("references", answer, args.asked.json)
}

/// What paths need. Their closures are not looked at: these may be large.
fn directly_below(store: &LocalStore, subjects: &Subjects) -> Result<BTreeSet<StorePath>, CliError> {
    let mut below = BTreeSet::new();
    for path in &subjects.trees {
        below.extend(store.references(path)?);
        for path in store.runtime(path)? {
            // One that is gone was declared by another realisation of this tree.
            if store.is_valid(&path)? {
                below.insert(path);
            }
        }
    }
    for digest in subjects.derivations.iter().filter_map(StorePath::derivation) {
        below.extend(store.derivation(&digest)?.all_inputs().into_iter().map(|input| input.path().clone()));
    }
    Ok(below)
}

/// What paths need, and all that this needs.
fn all_below(store: &LocalStore, subjects: &Subjects) -> Result<BTreeSet<StorePath>, CliError> {
    let mut below = BTreeSet::new();
    for graph in [store.closure_graph(&subjects.trees)?, store.derivation_graph(&subjects.derivations)?] {
        let asked = subjects.trees.iter().chain(&subjects.derivations).filter_map(|path| graph.number(path));
        let next: Vec<_> = asked.flat_map(|number| graph.needed(number)).collect();
        let reached = graph.reached_from(&next);
        below.extend(graph.paths().iter().zip(reached).filter(|(_, reached)| *reached).map(|(path, _)| path.clone()));
    }
    Ok(below)
}

pub(super) fn referrers(context: &Context, args: &Args) -> CommandResult {
    let store = context.store()?;
    let subjects = Subjects::of(context, &args.asked, args.about)?;
    let mut answer = BTreeSet::new();
    let mut pending = [subjects.trees, subjects.derivations].concat();
    while !pending.is_empty() {
        let found = referrers_of(store, &pending)?;
        pending = found.difference(&answer).filter(|_| args.recursive).cloned().collect();
        answer.extend(found);
    }
    print("referrers", answer, args.asked.json)
}

/// Who needs any of these paths: trees that need trees, and derivations that name them. That of a tree these are told too tells of what is a
/// source for whom.
fn referrers_of(store: &LocalStore, paths: &[StorePath]) -> Result<BTreeSet<StorePath>, CliError> {
    let mut found = store.dependants(paths)?;
    for path in paths {
        found.extend(store.referrers(path)?);
    }
    Ok(found)
}

pub(super) fn closure(context: &Context, args: &ClosureArgs) -> CommandResult {
    let mut closure = BTreeSet::new();
    let mut derivations = Vec::new();
    for target in args.asked.targets(context)? {
        match args.about.derivation(context, &target)? {
            Some(derivation) => derivations.push(derivation),
            None => closure.append(&mut closure_of(context, &target)?),
        }
    }
    closure.extend(context.store()?.derivation_graph(&derivations)?.into_paths());
    print("closure", closure, args.asked.json)
}

pub(super) fn deriver(context: &Context, args: &PlainArgs) -> CommandResult {
    let mut answer = BTreeSet::new();
    for path in args.asked.trees(context)? {
        answer.extend(context.store()?.derivers(&path)?);
    }
    print("deriver", answer, args.asked.json)
}

pub(super) fn outputs(context: &Context, args: &PlainArgs) -> CommandResult {
    print("outputs", args.asked.trees(context)?, args.asked.json)
}

pub(super) fn roots(context: &Context, args: &ClosureArgs) -> CommandResult {
    let subjects = Subjects::of(context, &args.asked, args.about)?;
    let paths = [subjects.trees, subjects.derivations].concat();
    let keeping = context.store()?.roots_keeping(&paths, &GcPolicy::default())?;
    if args.asked.json {
        let names: Vec<_> = keeping.iter().map(name).collect();
        output::json("query-roots/1", json!({ "roots": names }))?;
    } else {
        keeping.iter().try_for_each(|root| output::line(shown(&name(root))))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn name(root: &Root) -> String {
    root.link.as_ref().map_or_else(|| root.name.clone(), |link| link.display().to_string())
}

/// Prints a list of paths: by name for people, by path for programs.
fn print(question: &str, answer: impl IntoIterator<Item = StorePath>, as_json: bool) -> CommandResult {
    let mut answer: Vec<_> = answer.into_iter().collect();
    if as_json {
        let paths: Vec<_> = answer.iter().map(StorePath::to_string).collect();
        output::json("query/1", json!({ "question": question, "paths": paths }))?;
        return Ok(ExitCode::SUCCESS);
    }
    let look = Look::of_stdout();
    if look.terminal {
        answer.sort_by(|a, b| human(a).cmp(human(b)).then_with(|| a.cmp(b)));
    }
    let mut text = String::with_capacity(answer.len() * 100);
    for path in &answer {
        text.push_str(&look.path(path));
        text.push('\n');
    }
    output::write(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}
