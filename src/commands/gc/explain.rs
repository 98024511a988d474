//! Why a path stays or goes.

use super::{because, word};
use crate::CommandResult;
use crate::commands::query::valid_outputs;
use crate::context::Context;
use crate::error::CliError;
use crate::installable::{EvalArgs, Target, resolve};
use crate::look::Look;
use crate::output;
use crate::process::{human, running};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::process::ExitCode;
use store::StorePath;
use store::gc::{Explanation, GcPolicy, HeldThrough, Holder};
use store::local::Root;
use store::shown;

/// So many holders are named beside the first.
const SHOWN: usize = 10;

/// The roots by their names.
type Roots<'r> = BTreeMap<&'r str, &'r Root>;

pub(super) fn explain(
    context: &Context,
    text: &OsStr,
    policy: &GcPolicy,
    expired: &[String],
    as_json: bool,
) -> CommandResult {
    let store = context.store()?;
    let targets = resolve(context, &[text.to_owned()], &EvalArgs::default())?;
    // What an installable is good for is what it becomes, if it has become that.
    let realised = match &targets[0] {
        target @ Target::Derivation { output: Some(_), .. } => valid_outputs(context, target).ok(),
        _ => None,
    };
    let realised = realised.and_then(|outputs| outputs.into_iter().next());
    let path = realised.as_ref().unwrap_or_else(|| targets[0].path());
    let explanation = store.explain_gc(policy, expired, path)?;
    let roots = store.roots()?;
    let roots = roots.iter().map(|root| (root.name.as_str(), root)).collect();
    if as_json {
        print_json(path, &explanation, &roots)?
    } else {
        print(path, &explanation, &roots)?
    }
    Ok(ExitCode::SUCCESS)
}

fn print(path: &StorePath, explanation: &Explanation, roots: &Roots<'_>) -> Result<(), CliError> {
    let look = Look::of_stdout();
    let path = look.path(path);
    match explanation {
        Explanation::Held(through) => {
            output::line(format!("{path} stays:"))?;
            let (first, others) = through.split_first().expect("somebody holds it");
            output::line(format!("  {}", named(&first.holder, roots)))?;
            print_chain(&first.chain, look)?;
            for other in others.iter().take(SHOWN) {
                output::line(format!("  also {}{}", named(&other.holder, roots), via(&other.chain, look)))?;
            }
            match others.len().saturating_sub(SHOWN) {
                0 => Ok(()),
                more => output::line(format!("  and {more} more")),
            }
        }
        Explanation::Spared(why, chain) => {
            output::line(format!("{path} stays, though no root and no process holds it:"))?;
            output::line(format!("  spared: {}", because(*why)))?;
            print_chain(chain, look)
        }
        Explanation::Dead | Explanation::Unknown => {
            output::line(format!("{path} goes: no root holds it, no running process, and no option spares it"))
        }
    }
}

/// Each line says what the one above keeps.
fn print_chain(chain: &[StorePath], look: Look) -> Result<(), CliError> {
    for (at, path) in chain.iter().enumerate() {
        let relation = at.checked_sub(1).map_or("", |above| relation(&chain[above], path));
        output::line(format!("    {relation}{}", look.path(path)))?;
    }
    Ok(())
}

/// What the second is to the first, which keeps it.
fn relation(keeper: &StorePath, kept: &StorePath) -> &'static str {
    match (keeper.derivation().is_some(), kept.derivation().is_some()) {
        (false, false) => "needs ",
        (false, true) => "was made by ",
        (true, true) => "has as input ",
        (true, false) => "has as input, or made, ",
    }
}

fn via(chain: &[StorePath], look: Look) -> String {
    match chain {
        [first, _, ..] => format!(", through {}", look.path(first)),
        _ => String::new(),
    }
}

/// `the root result (/home/you/result)`, `generation 3 of the profile web`, `process 12 (larder build, for 3 s)`
fn named(holder: &Holder, roots: &Roots<'_>) -> String {
    let name = match holder {
        Holder::Process(process) => return human(*process),
        Holder::Root(name) => name.as_str(),
    };
    let Some(root) = roots.get(name) else { return format!("the root {name}") };
    if let Some(generation) = &root.generation {
        return format!("generation {} of the profile {}", generation.number, generation.profile);
    }
    root.link.as_ref().map_or_else(|| format!("the root {name}"), |link| format!("the root {}", shown(&link)))
}

fn print_json(path: &StorePath, explanation: &Explanation, roots: &Roots<'_>) -> Result<(), CliError> {
    let mut value = json!({ "path": path.to_string(), "live": true, "holders": [] });
    match explanation {
        Explanation::Held(through) => {
            value["holders"] = through.iter().map(|one| holder(one, roots)).collect();
        }
        Explanation::Spared(why, through) => value["spared"] = json!({ "why": word(*why), "chain": chain(through) }),
        Explanation::Dead | Explanation::Unknown => value["live"] = false.into(),
    }
    output::json("gc-explain/2", value)
}

fn holder(through: &HeldThrough, roots: &Roots<'_>) -> Value {
    let mut value = match &through.holder {
        Holder::Process(process) => json!({ "process": process }),
        Holder::Root(name) => json!({ "root": name }),
    };
    match &through.holder {
        Holder::Process(process) => {
            if let Some(running) = running(*process) {
                value["command"] = running.command.into();
                value["seconds"] = running.age.as_secs().into();
            }
        }
        Holder::Root(name) => {
            let root = roots.get(name.as_str());
            if let Some(link) = root.and_then(|root| root.link.as_ref()) {
                value["link"] = link.display().to_string().into();
            }
        }
    }
    value["chain"] = chain(&through.chain);
    value
}

fn chain(paths: &[StorePath]) -> Value {
    paths.iter().map(ToString::to_string).collect()
}
