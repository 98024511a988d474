//! `larder run`

use crate::CommandResult;
use crate::commands::query::{closure_of, realised};
use crate::context::Context;
use crate::error::CliError;
use crate::installable::EvalArgs;
use crate::realising::BuildArgs;
use crate::sandbox;
use builder::compose::merge_first_wins;
use builder::environment;
use builder::sandbox::{Bind, Circumstances, GuestPath, HostPath, SandboxSpec, WritableLayer};
use std::ffi::OsString;
use std::path::Path;
use store::local::LocalStore;
use store::shown;
use store::{Node, StorePath, TreeListing, TreePath};

/// Run a command in the composed run-time closure of an installable.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// An installable
    installable: OsString,
    /// The command with its arguments [default: the program that is called like the installable, or its only one]
    #[arg(last = true)]
    command: Vec<String>,
    #[command(flatten)]
    build: BuildArgs,
    #[command(flatten)]
    eval: EvalArgs,
}

pub(crate) fn run(context: &Context, args: &Args) -> CommandResult {
    if let Some(option) = args.command.first().filter(|word| word.starts_with('-')) {
        let error = CliError::usage(format!("the first word after `--` is the program to run, not `{option}`"));
        return Err(error.hint("name it: `larder run X -- PROGRAM --version`"));
    }
    let (target, paths) = realised(context, &[&args.installable], &args.build, &args.eval)?.remove(0);
    let store = context.store()?;
    let closure: Vec<StorePath> = closure_of(context, &target)?.into_iter().collect();
    let mut listings = Vec::new();
    for path in &closure {
        listings.push(store.listing(&path.tree().expect("a tree's path"))?);
    }
    // What the installable itself has comes first; its dependencies stand behind it.
    let mut order: Vec<usize> = (0..closure.len()).collect();
    order.sort_by_key(|&number| !paths.contains(&closure[number]));
    let root = merge_first_wins(&order.iter().map(|&number| &listings[number]).collect::<Vec<_>>());
    let (command, rest) = match args.command.split_first() {
        Some((command, rest)) => (command.clone(), rest.to_vec()),
        None => (main_program(&root, &paths[0], &own_listing(&closure, &listings, &paths[0]))?, Vec::new()),
    };
    let staging = store.stage()?;
    let builder = args.build.builder(context)?;
    // A file in a closure is needed at its store path only.
    let is_directory = |number: &&usize| matches!(listings[**number].root(), Node::Directory(_));
    let trees: Vec<_> = order.iter().filter(is_directory).map(|&number| closure[number].clone()).collect();
    if trees.is_empty() {
        return Err(CliError::failed(format!(
            "{} is not a directory, so there is no root to run a command in",
            paths[0]
        )));
    }
    let layers = builder.layers_of(&trees)?;
    let directory = |name: &str| {
        let path = staging.path().join(name);
        std::fs::create_dir(&path)
            .map_err(|error| CliError::failed(format!("cannot create {}: {error}", shown(&path))))?;
        host_path(&path)
    };
    let spec = SandboxSpec {
        layers,
        writable: WritableLayer::Memory,
        binds: closure.iter().map(|path| bind(store, path)).collect::<Result<_, _>>()?,
        build_dir: directory("build")?,
        out_dir: directory("out")?,
        command,
        args: rest,
        env: environment::fixed(),
        limits: builder.settings().sandbox,
        job_server: None,
        interactive: true,
        circumstances: Circumstances::default(),
    };
    sandbox::enter(&builder, spec)
}

/// A path at its logical place, for what mentions it.
fn bind(store: &LocalStore, path: &StorePath) -> Result<Bind, CliError> {
    let target = GuestPath::parse(path.to_string()).map_err(|error| CliError::internal(error.to_string()))?;
    Ok(Bind { source: host_path(&store.host_path(path))?, target })
}

fn host_path(path: &Path) -> Result<HostPath, CliError> {
    HostPath::parse(path).map_err(|error| CliError::failed(error.to_string()))
}

fn own_listing(closure: &[StorePath], listings: &[TreeListing], path: &StorePath) -> TreeListing {
    let number = closure.iter().position(|other| other == path).expect("a closure has what it is of");
    listings[number].clone()
}

/// The program called like the package, or the only one it has.
fn main_program(root: &TreeListing, path: &StorePath, own: &TreeListing) -> Result<String, CliError> {
    let name = path.name().as_str();
    let stem =
        name.find(|character: char| character.is_ascii_digit()).map_or(name, |at| name[..at].trim_end_matches('-'));
    let mut programs = Vec::new();
    own.walk(&mut |path, node| {
        let text = path.to_string();
        let program = ["usr/bin/", "bin/"].into_iter().find_map(|directory| text.strip_prefix(directory));
        if let (Some(program), Node::File { executable: true, .. } | Node::Symlink { .. }) = (program, node)
            && !program.contains('/')
        {
            programs.push((program.to_owned(), format!("/{text}")));
        }
    });
    let wanted = format!("usr/bin/{stem}");
    if TreePath::parse(wanted.as_bytes()).is_ok_and(|path| root.get(&path).is_some()) {
        return Ok(format!("/{wanted}"));
    }
    match programs.as_slice() {
        [(_, only)] => Ok(only.clone()),
        [] => Err(CliError::failed(format!("{path} has no programs"))
            .hint("name a command: larder run INSTALLABLE -- COMMAND")),
        several => {
            let names: Vec<_> = several.iter().take(20).map(|(name, _)| name.as_str()).collect();
            let error = CliError::failed(format!("{path} has several programs and none called `{stem}`"));
            Err(error.hint(format!("name one: larder run INSTALLABLE -- {}", names.join(" | "))))
        }
    }
}
