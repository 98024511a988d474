//! `larder query`

use crate::CommandResult;
use crate::context::{BuildLimits, Context};
use crate::error::CliError;
use crate::installable::{EvalArgs, Target, outputs_of, resolve};
use crate::output;
use crate::realising::{BuildArgs, realise};
use builder::RunOptions;
use builder::schedule::runtime_closure;
use serde_json::json;
use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::process::ExitCode;
use store::local::LocalStore;
use store::{Input, StorePath};

/// Ask the store about paths.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What to ask
    question: Question,
    /// Of which installables; they are not built
    #[arg(value_name = "INSTALLABLE", required = true)]
    installables: Vec<OsString>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    eval: EvalArgs,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Question {
    /// The paths that it mentions or declares to need at run time
    References,
    /// The paths that mention it or declare to need it
    Referrers,
    /// All that it needs at run time, itself included
    Closure,
    /// The derivations known to have made it
    Deriver,
    /// The valid outputs of a derivation
    Outputs,
    /// The GC roots that keep it
    Roots,
    /// Files and bytes, its own and those of its closure
    Size,
}

pub(crate) fn run(context: &Context, args: &Args) -> CommandResult {
    let store = context.store()?;
    let mut paths = Vec::new();
    let targets = resolve(context, &args.installables, &args.eval)?;
    if matches!(args.question, Question::Closure) {
        let mut closure = BTreeSet::new();
        for target in &targets {
            closure.extend(closure_of(context, target)?);
        }
        return print(&closure, args.json);
    }
    for target in targets {
        match (&args.question, target) {
            (Question::Outputs, target) => paths.push(target.path().clone()),
            (_, Target::Tree(path)) => paths.push(path),
            (_, target) => paths.extend(valid_outputs(context, &target)?),
        }
    }
    match args.question {
        Question::Size => return size(store, &paths, args.json),
        Question::Roots => return roots(store, &paths, args.json),
        _ => {}
    }
    let mut answer = BTreeSet::new();
    for path in &paths {
        answer.extend(match args.question {
            Question::References => [store.references(path)?, store.runtime(path)?].concat(),
            Question::Referrers => store.referrers(path)?,
            Question::Deriver => store.derivers(path)?,
            _ => valid_outputs(context, &Target::Derivation { path: path.clone(), output: None })?,
        });
    }
    print(&answer, args.json)
}

fn print(answer: &BTreeSet<StorePath>, as_json: bool) -> CommandResult {
    if as_json {
        output::json("query", json!({ "paths": answer.iter().map(StorePath::to_string).collect::<Vec<_>>() }))?;
    } else {
        answer.iter().try_for_each(output::line)?;
    }
    Ok(ExitCode::SUCCESS)
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
    Ok(realised(context, installable, build, eval)?.1)
}

/// What an installable names, built if need be, and its trees.
pub(crate) fn realised(
    context: &Context,
    installable: &OsStr,
    build: &BuildArgs,
    eval: &EvalArgs,
) -> Result<(Vec<Target>, Vec<StorePath>), CliError> {
    let targets = resolve(context, &[installable.to_owned()], eval)?;
    let options = RunOptions { keep_going: build.keep_going, rebuild: false };
    let result = realise(context, &build.builder(context)?, &build.watch, &targets, options)?;
    let paths: Vec<_> =
        targets.iter().flat_map(|target| outputs_of(target, &result.outputs)).map(|(_, path)| path).collect();
    if paths.is_empty() {
        Err(CliError::internal(format!("`{}` has no outputs", installable.display())))
    } else {
        Ok((targets, paths))
    }
}

fn size(store: &LocalStore, paths: &[StorePath], as_json: bool) -> CommandResult {
    let mut rows = Vec::new();
    for path in paths {
        let sum = |paths: &BTreeSet<StorePath>| {
            paths.iter().try_fold((0, 0), |(files, bytes), path| {
                let info = store.path_info(path)?.ok_or_else(|| store::local::StoreError::NotValid(path.clone()))?;
                Ok::<_, CliError>((files + info.files, bytes + info.bytes))
            })
        };
        let own = sum(&BTreeSet::from([path.clone()]))?;
        let closure = sum(&store.closure(std::slice::from_ref(path))?)?;
        rows.push((path, own, closure));
    }
    if as_json {
        let one = |(path, own, closure): &(&StorePath, (u64, u64), (u64, u64))| json!({ "path": path.to_string(), "files": own.0, "bytes": own.1, "closure_files": closure.0, "closure_bytes": closure.1 });
        output::json("size", json!({ "paths": rows.iter().map(one).collect::<Vec<_>>() }))?;
    } else {
        for (path, own, closure) in rows {
            let (own, closure) = (crate::text::bytes(own.1), crate::text::bytes(closure.1));
            output::line(format!("{path}  {own}, with its closure {closure}"))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn roots(store: &LocalStore, paths: &[StorePath], as_json: bool) -> CommandResult {
    let mut keeping = Vec::new();
    for root in store.roots()? {
        let Some(target) = &root.target else { continue };
        if !store.is_valid(target)? || target.derivation().is_some() {
            continue;
        }
        let closure = store.closure(std::slice::from_ref(target))?;
        if paths.iter().any(|path| closure.contains(path)) {
            keeping.push(root);
        }
    }
    let name =
        |root: &store::local::Root| root.link.as_ref().map_or(root.name.clone(), |link| link.display().to_string());
    if as_json {
        output::json("query", json!({ "roots": keeping.iter().map(name).collect::<Vec<_>>() }))?;
    } else {
        keeping.iter().try_for_each(|root| output::line(name(root)))?;
    }
    Ok(ExitCode::SUCCESS)
}
