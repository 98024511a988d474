//! What a job will come to, as far as one can tell without doing it.

use crate::builder::Builder;
use crate::error::BuildError;
use crate::known_failure::KnownFailure;
use crate::plan::{Job, Plan};
use crate::reason::{Reason, reason};
use std::collections::BTreeMap;
use store::derivation::output_path_name;
use store::local::StoreError;
use store::{Input, StorePath};

/// What a job will come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outlook {
    /// Nothing is done: its action is realised.
    Reused,
    /// It fails at once: its action failed before.
    FailsAtOnce(KnownFailure),
    /// Nothing is built: what its command made is kept, was refused, and is verified against something else now.
    Verified,
    /// It is done for sure.
    Done(Reason),
    /// It is done unless its inputs, of which some are still to be made, come out as before.
    DoneUnlessAsBefore(Reason),
}

impl Builder<'_> {
    /// What a job of a plan will come to. With `again` it is done even if it is realised.
    ///
    /// # Errors
    /// When the store cannot be asked.
    pub fn outlook(&self, job: &Job, plan: &Plan, again: bool) -> Result<Outlook, BuildError> {
        if again {
            return Ok(Outlook::Done(self.reason(job, again)?));
        }
        if !job.needs.is_empty() {
            return Ok(Outlook::DoneUnlessAsBefore(self.reason(job, again)?));
        }
        let resolved = match self.resolve(&job.path, &job.derivation, &known_inputs(job, plan)) {
            Err(error @ (BuildError::Store(_) | BuildError::Io(_))) => return Err(error),
            // Why it cannot be resolved is told when it is done.
            resolved => resolved.ok(),
        };
        if let Some(resolved) = resolved {
            if self.is_realised(job, &resolved.digest)? {
                return Ok(Outlook::Reused);
            }
            if let Some(failure) = self.known_failure(&resolved.digest).filter(|_| !self.settings().retry) {
                return Ok(Outlook::FailsAtOnce(failure));
            }
            if self.takes_refused(again) && self.has_refused(&resolved) {
                return Ok(Outlook::Verified);
            }
        }
        Ok(Outlook::Done(self.reason(job, again)?))
    }

    fn is_realised(&self, job: &Job, action: &store::ActionDigest) -> Result<bool, StoreError> {
        for output in &job.derivation.outputs {
            let name = output_path_name(&job.derivation.name, output)?;
            if self.store().realised_path(action, output, &name)?.is_none() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn reason(&self, job: &Job, again: bool) -> Result<Reason, StoreError> {
        if self.store().resolution(&job.derivation.digest())?.is_some() {
            return Ok(if again { Reason::Asked } else { Reason::Collected });
        }
        let last = self.store().last_built(&job.derivation.name)?;
        // A collection may have taken it since.
        let last = last.and_then(|last| self.store().derivation(&last).ok());
        Ok(reason(last.as_ref(), &job.derivation))
    }
}

fn known_inputs(job: &Job, plan: &Plan) -> BTreeMap<Input, StorePath> {
    let known = |input: &Input| Some((input.clone(), plan.known.get(input)?.clone()));
    job.derivation.all_inputs().into_iter().filter_map(known).collect()
}
