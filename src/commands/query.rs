//! `larder query`

mod drawn;
mod leaks;
mod paths;
mod size;

use crate::CommandResult;
use crate::commands::show::derivation_of;
use crate::context::{BuildLimits, Context};
use crate::error::CliError;
use crate::installable::{EvalArgs, Target, outputs_of, resolve};
use crate::realising::{BuildArgs, realise};
use builder::RunOptions;
use builder::schedule::runtime_closure;
use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use store::shown;
use store::{Graph, Input, StorePath};

/// Ask the store about paths.
#[derive(Debug, clap::Args)]
#[command(
    override_usage = "larder query <references|referrers|closure|tree|graph|deriver|outputs|roots|leaks|size> [OPTIONS] <INSTALLABLE>...",
    subcommand_value_name = "QUESTION",
    subcommand_help_heading = "Questions"
)]
pub(crate) struct Args {
    #[command(subcommand)]
    question: Question,
}

#[derive(Debug, clap::Subcommand)]
enum Question {
    /// The paths that it mentions or declares to need at run time; of a derivation, its inputs
    References(paths::Args),
    /// The paths that mention it or declare to need it; of a derivation or a source, the derivations that name it
    Referrers(paths::Args),
    /// All that it needs at run time, itself included; of a derivation, all that building it from nothing takes
    Closure(paths::ClosureArgs),
    /// The closure as a tree
    Tree(drawn::TreeArgs),
    /// The closure as a graph, for Graphviz
    Graph(drawn::GraphArgs),
    /// The derivations known to have made it
    Deriver(paths::PlainArgs),
    /// The valid outputs of a derivation
    Outputs(paths::PlainArgs),
    /// The GC roots that keep it, by what they name, need, or were made by
    Roots(paths::ClosureArgs),
    /// The files that have paths of the build in them, which are nowhere when they are used
    Leaks(paths::PlainArgs),
    /// What it takes: its own, on the disk, with its closure, and what only it holds
    Size(size::Args),
}

pub(crate) fn run(context: &Context, args: &Args) -> CommandResult {
    match &args.question {
        Question::References(args) => paths::references(context, args),
        Question::Referrers(args) => paths::referrers(context, args),
        Question::Closure(args) => paths::closure(context, args),
        Question::Tree(args) => drawn::tree(context, args),
        Question::Graph(args) => drawn::graph(context, args),
        Question::Deriver(args) => paths::deriver(context, args),
        Question::Outputs(args) => paths::outputs(context, args),
        Question::Roots(args) => paths::roots(context, args),
        Question::Leaks(args) => leaks::run(context, &args.asked),
        Question::Size(args) => size::run(context, args),
    }
}

/// What is asked about.
#[derive(Debug, clap::Args)]
struct Asked {
    /// Of which installables; they are not built
    #[arg(value_name = "INSTALLABLE", required = true)]
    installables: Vec<OsString>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    eval: EvalArgs,
}

impl Asked {
    fn targets(&self, context: &Context) -> Result<Vec<Target>, CliError> {
        resolve(context, &self.installables, &self.eval)
    }

    /// The valid trees that are asked about.
    fn trees(&self, context: &Context) -> Result<Vec<StorePath>, CliError> {
        let mut trees = Vec::new();
        for target in self.targets(context)? {
            trees.extend(trees_of_target(context, &target)?);
        }
        Ok(trees)
    }
}

/// Whether derivations themselves are asked about.
#[derive(Debug, Clone, Copy, clap::Args)]
struct AboutDerivations {
    /// Ask about the derivations themselves and what building needs, not about what they became
    #[arg(long)]
    derivations: bool,
}

impl AboutDerivations {
    /// The derivation that is asked about. One that is named by its own path without an output is meant itself.
    fn derivation(self, context: &Context, target: &Target) -> Result<Option<StorePath>, CliError> {
        match target {
            Target::Derivation { path, output: None } => Ok(Some(path.clone())),
            target if self.derivations => derivation_of(context, target).map(Some),
            _ => Ok(None),
        }
    }

    /// The closure of all that is asked about, and the numbers of what is asked about itself.
    fn closure(self, context: &Context, asked: &Asked) -> Result<(Graph, Vec<usize>), CliError> {
        let store = context.store()?;
        let targets = asked.targets(context)?;
        let (mut derivations, mut trees, mut needed) = (Vec::new(), Vec::new(), BTreeSet::new());
        for target in &targets {
            match self.derivation(context, target)? {
                Some(derivation) => derivations.push(derivation),
                None => {
                    trees.extend(trees_of_target(context, target)?);
                    needed.extend(closure_of(context, target)?);
                }
            }
        }
        if !derivations.is_empty() && !trees.is_empty() {
            let error = CliError::usage("derivations and what they became are asked about at once");
            return Err(error.hint("`--derivations` asks about the derivations of all; `X.drv!out` names an output"));
        }
        let graph = if derivations.is_empty() {
            // Another derivation of the same tree may have declared more for it.
            store.closure_graph(&trees)?.restricted(|path| needed.contains(path))
        } else {
            store.derivation_graph(&derivations)?
        };
        let numbers = derivations.iter().chain(&trees).filter_map(|path| graph.number(path)).collect();
        Ok((graph, numbers))
    }
}

/// The trees that a target names or that its outputs became.
fn trees_of_target(context: &Context, target: &Target) -> Result<Vec<StorePath>, CliError> {
    match target {
        Target::Tree(path) => Ok(vec![path.clone()]),
        target => valid_outputs(context, target),
    }
}

/// What a realised target needs at run time, itself included. For a tree that is all that any derivation has declared for it.
pub(crate) fn closure_of(context: &Context, target: &Target) -> Result<BTreeSet<StorePath>, CliError> {
    let store = context.store()?;
    let inputs = match target {
        Target::Tree(path) => vec![Input::Tree(path.clone())],
        Target::Derivation { path, output: Some(output) } => {
            valid_outputs(context, target)?;
            vec![Input::Output { derivation: path.clone(), output: output.clone() }]
        }
        Target::Derivation { path, output: None } => {
            let outputs = store.derivation(&path.derivation().expect("a derivation's path"))?.outputs;
            outputs.into_iter().map(|output| Input::Output { derivation: path.clone(), output }).collect()
        }
    };
    Ok(runtime_closure(store, inputs)?)
}

/// The outputs of a derivation that are valid now.
pub(crate) fn valid_outputs(context: &Context, target: &Target) -> Result<Vec<StorePath>, CliError> {
    let plan =
        context.builder(BuildLimits::default())?.plan(std::slice::from_ref(target.path()), RunOptions::default())?;
    let outputs = outputs_of(target, &plan.known);
    if outputs.is_empty() {
        let error = CliError::failed(format!("{} is not realised", target.path()));
        return Err(error.hint(format!("larder realise {}", target.path())));
    }
    Ok(outputs.into_iter().map(|(_, path)| path).collect())
}

/// The trees that an installable names, built if need be.
pub(crate) fn trees_of(
    context: &Context,
    installable: &OsStr,
    build: &BuildArgs,
    eval: &EvalArgs,
) -> Result<Vec<StorePath>, CliError> {
    Ok(realised(context, &[installable], build, eval)?.remove(0).1)
}

/// What installables name, each with its trees, which are built together if need be. Nothing is built if one of them names nothing.
pub(crate) fn realised(
    context: &Context,
    installables: &[&OsStr],
    build: &BuildArgs,
    eval: &EvalArgs,
) -> Result<Vec<(Target, Vec<StorePath>)>, CliError> {
    let words: Vec<_> = installables.iter().map(|word| (*word).to_owned()).collect();
    let targets = resolve(context, &words, &build.evaluation(eval))?;
    let options = RunOptions { keep_going: build.keep_going, rebuild: false };
    let result = realise(context, &build.builder(context)?, &build.watch, &targets, options)?;
    let with_trees = |(target, word): (Target, &OsString)| {
        let trees: Vec<_> = outputs_of(&target, &result.outputs).into_iter().map(|(_, path)| path).collect();
        if trees.is_empty() {
            return Err(CliError::internal(format!("`{}` has no outputs", shown(word))));
        }
        Ok((target, trees))
    };
    targets.into_iter().zip(&words).map(with_trees).collect()
}
