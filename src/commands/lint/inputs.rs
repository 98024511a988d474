//! What a traced build tells of its recipe: inputs that it never used, and who has what it looked for in vain.

use crate::commands::show::derivation_of;
use crate::context::{BuildLimits, Context};
use crate::error::CliError;
use crate::installable::{EvalArgs, resolve};
use crate::look::human;
use crate::output;
use crate::sandbox;
use crate::text;
use builder::input_use::InputUse;
use builder::providers::{Provider, providers};
use builder::schedule::runtime_closure;
use builder::trace::InputTrace;
use builder::{Builder, RunOptions};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::ffi::OsString;
use store::derivation::output_path_name;
use store::{ActionDigest, Derivation, StoreName, StorePath};

/// Paths that are shown of what a package has.
const SHOWN: usize = 5;

/// What there is to tell of one build.
struct Findings {
    derivation: StorePath,
    action: ActionDigest,
    trace: InputTrace,
    input_use: InputUse,
    unused: Vec<Unused>,
    providers: Vec<Provider>,
}

/// An input that was never used.
struct Unused {
    path: StorePath,
    /// Whether something that was used needs it at run time, so that it is there in any case.
    needed: bool,
}

/// Tells what the traced builds of installables say of their recipes; gives how many findings there are.
pub(super) fn lint_builds(
    context: &Context,
    installables: &[OsString],
    eval: &EvalArgs,
    as_json: bool,
) -> Result<usize, CliError> {
    let builder = context.builder(BuildLimits::default())?;
    let mut count = 0;
    for target in resolve(context, installables, eval)? {
        let findings = Findings::of(&builder, derivation_of(context, &target)?)?;
        count += findings.count();
        if as_json {
            output::json("lint-inputs/1", findings.json())?;
        } else {
            findings.tell(context.quiet)?;
        }
    }
    Ok(count)
}

impl Findings {
    fn of(builder: &Builder<'_>, derivation: StorePath) -> Result<Self, CliError> {
        let untraced = |what: &str| {
            let error = CliError::failed(format!("{derivation} {what}"));
            error.hint(format!("larder build --trace-inputs {derivation}"))
        };
        let store = builder.store();
        let declared = store.derivation(&derivation.derivation().expect("a derivation's path"))?;
        if declared.builtin().is_some() {
            return Err(CliError::failed(format!("{derivation} is made inside larder: it opens no files")));
        }
        let resolved = sandbox::resolved(builder, &derivation)?
            .ok_or_else(|| untraced("has inputs that are not in the store, or not any more"))?;
        let trace = InputTrace::read(&store.layout().logs(), &resolved.digest)
            .ok_or_else(|| untraced("was not built with `--trace-inputs`"))?;
        let input_use = builder.input_use(&resolved, &trace)?;
        let needed = needed_by_used(builder, &declared, &input_use)?;
        let inputs: BTreeSet<_> = resolved.layers.iter().chain(resolved.action.inputs()).cloned().collect();
        let unused = inputs.iter().filter(|path| !input_use.used.contains_key(*path));
        let unused = unused.map(|path| Unused { path: path.clone(), needed: needed.contains(path) }).collect();
        let known = inputs.iter().map(|path| path.name().clone()).chain(own_names(&declared)).collect();
        let providers = providers(store, &input_use.missed, &known)?;
        let action = resolved.digest;
        Ok(Self { derivation, action, trace, input_use, unused, providers })
    }

    fn count(&self) -> usize {
        self.unused.iter().filter(|unused| !unused.needed).count() + self.providers.len()
    }

    fn tell(&self, quiet: bool) -> Result<(), CliError> {
        let name = human(&self.derivation);
        for unused in self.unused.iter().filter(|unused| !unused.needed) {
            output::line(format!("{name}: {} is an input and was never used: {}", human(&unused.path), unused.path))?;
        }
        for provider in &self.providers {
            let paths: Vec<_> = provider.has.iter().take(SHOWN).map(String::as_str).collect();
            let more = provider.has.len() - paths.len();
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            let (has, made) = (human(&provider.path), &provider.derivers[0]);
            let paths = paths.join(", ");
            output::line(format!("{name}: looked in vain for {paths}{more}, which {has} has: {made}"))?;
        }
        if !self.trace.complete {
            output::error(
                "not all was recorded: the build failed, or used too many paths; what is called unused may be used\n",
            );
        }
        if !quiet {
            let (used, all) = (self.input_use.used.len(), self.input_use.used.len() + self.unused.len());
            let missed = text::counted(self.input_use.missed.len(), "path");
            let findings = text::counted(self.count(), "finding");
            output::error(&format!("{name}: {findings}; used {used} of {all} inputs, looked for {missed} in vain\n"));
        }
        Ok(())
    }

    fn json(&self) -> Value {
        let used = |(path, files): (&StorePath, &BTreeSet<String>)| json!({ "path": path.to_string(), "files": files });
        let unused = |unused: &Unused| json!({ "path": unused.path.to_string(), "needed_by_used": unused.needed });
        let provider = |provider: &Provider| {
            let derivers: Vec<_> = provider.derivers.iter().map(StorePath::to_string).collect();
            json!({ "path": provider.path.to_string(), "derivers": derivers, "has": provider.has })
        };
        json!({
            "derivation": self.derivation.to_string(),
            "action": self.action.to_string(),
            "finished": self.trace.finished,
            "complete": self.trace.complete,
            "used": self.input_use.used.iter().map(used).collect::<Vec<_>>(),
            "unused": self.unused.iter().map(unused).collect::<Vec<_>>(),
            "missed": self.input_use.missed,
            "providers": self.providers.iter().map(provider).collect::<Vec<_>>(),
        })
    }
}

/// What the inputs that were used need at run time.
fn needed_by_used(
    builder: &Builder<'_>,
    declared: &Derivation,
    input_use: &InputUse,
) -> Result<BTreeSet<StorePath>, CliError> {
    let plan = builder.plan(&sandbox::input_derivations(declared), RunOptions::default())?;
    let used = declared.all_inputs().into_iter().filter(|input| {
        let path = match input {
            store::Input::Tree(path) => Some(path),
            output @ store::Input::Output { .. } => plan.known.get(output),
        };
        path.is_some_and(|path| input_use.used.contains_key(path))
    });
    Ok(runtime_closure(builder.store(), used.cloned().collect())?)
}

/// What a derivation's own outputs are called: what a build looks for in vain may be what it is going to make.
fn own_names(declared: &Derivation) -> impl Iterator<Item = StoreName> {
    declared.outputs.iter().filter_map(|output| output_path_name(&declared.name, output).ok())
}
