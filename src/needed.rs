//! Builds that evaluation waits for.

use crate::context::{BuildLimits, Context};
use crate::error::{CliError, with_causes};
use crate::look::human;
use crate::output;
use crate::progress::WatchArgs;
use crate::progress::failure::describe;
use crate::realising::realise_while;
use builder::{Builder, Event, Kind, RunOptions, RunResult, Settings};
use eval::IsWanted;
use std::io::IsTerminal;
use std::sync::Arc;
use store::local::LocalStore;
use store::{Input, StorePath};

/// How that is built which evaluation needs, and told of.
pub(crate) struct Needed {
    store: Arc<LocalStore>,
    settings: Settings,
    quiet: bool,
    watch: WatchArgs,
}

impl Needed {
    /// Within these limits, told of as the rest of what a command builds.
    pub(crate) fn new(context: &Context, limits: BuildLimits, watch: WatchArgs) -> Result<Self, CliError> {
        let settings = context.builder(limits)?.settings().clone();
        Ok(Self { store: Arc::clone(context.store()?), settings, quiet: context.quiet, watch })
    }

    /// Realises derivations with a builder of its own, while they are wanted.
    pub(crate) fn realise(
        &self,
        derivations: &[StorePath],
        is_wanted: &IsWanted<'_>,
    ) -> Result<Vec<(Input, StorePath)>, String> {
        let result = self.run(derivations, is_wanted).map_err(CliError::into_message)?;
        match result.failures.first() {
            Some(failure) => Err(format!("{}: {}", failure.derivation, with_causes(&*failure.error))),
            None => Ok(result.outputs.into_iter().collect()),
        }
    }

    fn run(&self, derivations: &[StorePath], is_wanted: &IsWanted<'_>) -> Result<RunResult, CliError> {
        let builder = Builder::new(&self.store, self.settings.clone());
        let progress = self.watch.early_progress(self.quiet, self.settings.jobs)?;
        let tell = |event: Event| {
            if !progress.as_ref().is_some_and(|progress| progress.take_early(&event)) {
                tell_people(event);
            }
        };
        let result = realise_while(&builder, derivations, RunOptions::default(), &tell, is_wanted, &|_| {});
        self.watch.keep(progress);
        Ok(result?)
    }
}

/// The diagnostic has the place and the reason; what the build printed stands before it.
fn tell_people(event: Event) {
    match event {
        Event::Failed { derivation, error } => {
            describe(&derivation, &error).iter().for_each(|line| output::error(&format!("{line}\n")));
        }
        // Nothing else says what evaluation waits for.
        Event::Started { derivation, kind: Kind::Build, .. } if std::io::stderr().is_terminal() => {
            output::error(&format!("building {}, which evaluation needs\n", human(&derivation)));
        }
        _ => {}
    }
}
