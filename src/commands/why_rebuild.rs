//! `larder why-rebuild`

mod shown;

use crate::CommandResult;
use crate::commands::diff;
use crate::commands::show::derivation_of;
use crate::context::Context;
use crate::error::CliError;
use crate::installable::{EvalArgs, resolve};
use crate::look::Look;
use crate::output;
use repro::{Options, Report};
use shown::Answer;
use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::Arc;
use store::difference::{Change, Difference, Known, difference};
use store::local::{Built, LocalStore, StoreError};
use store::{Derivation, OutputName, StorePath, TreeDigest};

/// Show why a derivation is built anew: what was changed, down to files and variables, apart from what only follows.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What is built anew; nothing is built now
    after: OsString,
    /// What it is compared with [default: the last build of something of the same name, if it was another one]
    before: Option<OsString>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    eval: EvalArgs,
}

pub(crate) fn run(context: &Context, args: &Args) -> CommandResult {
    let store = context.store()?;
    let installables: Vec<_> = [&args.after].into_iter().chain(&args.before).cloned().collect();
    let targets = resolve(context, &installables, &args.eval)?;
    let after = derivation_of(context, &targets[0])?;
    let before = match targets.get(1) {
        Some(target) => derivation_of(context, target)?,
        None => last_build(store, &after)?,
    };
    let found = difference(&Recorded { store, derivations: RefCell::default() }, &before, &after)?;
    let sources = found.pairs.iter().map(|pair| source_report(store, pair)).collect::<Result<Vec<_>, _>>()?;
    let action = |path: &StorePath| path.derivation().map_or(Ok(None), |digest| store.resolution(&digest));
    let actions = (action(&before)?, action(&after)?);
    let answer = Answer { before, after, actions, found, sources };
    if args.json {
        output::json("why-rebuild/1", answer.json()?)?;
    } else {
        output::write(answer.text(Look::of_stdout()).as_bytes())?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The last build of something with the name of a derivation, before its own if it was built: one that was another action, if there is
/// one; of the very name, if there is one, else of another version.
fn last_build(store: &LocalStore, after: &StorePath) -> Result<StorePath, CliError> {
    let own = store.resolution(&after.derivation().expect("a derivation's path"))?;
    let builds = store.builds_of_package(after.name())?;
    let own_time = builds.iter().find(|built| Some(built.action) == own).map(|built| built.finished);
    let fitness = |built: &&Built| {
        let is_other = Some(built.action) != own;
        let is_before = own_time.is_none_or(|time| built.finished <= time);
        (is_other, built.derivation.name() == after.name(), is_before, built.finished)
    };
    let others = builds.iter().filter(|built| built.derivation != *after);
    others.max_by_key(fitness).map(|built| built.derivation.clone()).ok_or_else(|| {
        let name = crate::look::human(after);
        let error = CliError::failed(format!("no other build of {name} is known"));
        error.hint("name what it is to be compared with: larder why-rebuild AFTER BEFORE")
    })
}

/// What differs in the files of two sources; `None` if there is nothing to compare, or it is not in the store any more.
fn source_report(store: &LocalStore, pair: &store::difference::Pair) -> Result<Option<Report>, CliError> {
    if !pair.changes.contains(&Change::Content) || pair.cut_off {
        return Ok(None);
    }
    if !store.is_valid(&pair.before)? || !store.is_valid(&pair.after)? {
        return Ok(None);
    }
    let (left, right) = (diff::tree(store, &pair.before)?, diff::tree(store, &pair.after)?);
    let names = (pair.before.name().to_string(), pair.after.name().to_string());
    let report = repro::compare(&left, &right, &Options { names, ..Options::default() });
    report.map(Some).map_err(|error| CliError::failed(crate::error::with_causes(&error)))
}

/// Derivations and what they became, by the store's records.
struct Recorded<'s> {
    store: &'s LocalStore,
    /// Those that were read, for each is asked for by all that need it.
    derivations: RefCell<HashMap<StorePath, Option<Arc<Derivation>>>>,
}

impl Known for Recorded<'_> {
    type Error = StoreError;

    fn derivation(&self, path: &StorePath) -> Result<Option<Arc<Derivation>>, StoreError> {
        if let Some(known) = self.derivations.borrow().get(path) {
            return Ok(known.clone());
        }
        let digest = path.derivation().ok_or_else(|| StoreError::NotValid(path.clone()))?;
        let kept = self.store.is_valid(path)?;
        let read = if kept { Some(Arc::new(self.store.derivation(&digest)?)) } else { None };
        self.derivations.borrow_mut().insert(path.clone(), read.clone());
        Ok(read)
    }

    fn realised(&self, derivation: &StorePath, output: &OutputName) -> Result<Option<TreeDigest>, StoreError> {
        let Some(digest) = derivation.derivation() else { return Ok(None) };
        match self.store.resolution(&digest)? {
            Some(action) => self.store.recorded_tree(&action, output),
            None => Ok(None),
        }
    }
}

/// The pairs that came out identical though they differ, by their number, each once.
fn identical(found: &Difference) -> Vec<usize> {
    let edges = found.pairs.iter().filter(|pair| !pair.cut_off).flat_map(|pair| &pair.inputs);
    let numbers: std::collections::BTreeSet<_> = edges.filter(|edge| edge.identical).map(|edge| edge.to).collect();
    numbers.into_iter().collect()
}
