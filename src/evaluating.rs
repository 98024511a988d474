//! Evaluating what is named, where nothing remembered says what it comes to.

use crate::context::Context;
use crate::error::CliError;
use crate::evaluations::{Evaluations, Key, Outcome, Shared, Source, Wanted};
use crate::installable::{EvalArgs, Evaluation};
use crate::sources::Named;
use eval::{DerivationRef, Failure, Member, Read, Value};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What several things of several sources come to, in one session of the evaluator that begins when it is first needed.
pub(crate) struct Evaluating<'a> {
    context: &'a Context,
    args: &'a EvalArgs,
    evaluation: Option<Evaluation>,
    /// What is remembered of each source; `None` of one of which nothing may be.
    remembered: BTreeMap<Source, Option<Arc<Shared>>>,
}

impl<'a> Evaluating<'a> {
    pub(crate) fn new(context: &'a Context, args: &'a EvalArgs) -> Self {
        Self { context, args, evaluation: None, remembered: BTreeMap::new() }
    }

    /// The derivation that an attribute of a source is.
    pub(crate) fn derivation(&mut self, named: &Named) -> Result<DerivationRef, CliError> {
        let source = &named.source;
        let wanted = Wanted::Derivations(named.attribute.clone());
        if let Some(Outcome::Derivation(derivation)) = self.look_up_one(source, &wanted)? {
            return Ok(derivation);
        }
        let (value, above) = self.value(named, true)?;
        let evaluation = self.evaluation()?;
        let derivation = evaluation.derivation(value, &named.text.to_string_lossy())?;
        let read = evaluation.reads_with(above);
        self.remember(source, wanted, Outcome::Derivation(derivation.clone()), read)?;
        Ok(derivation)
    }

    /// The derivation that an attribute of a source is, or all that are in the set that it is.
    pub(crate) fn derivations(&mut self, named: &Named) -> Result<Vec<DerivationRef>, CliError> {
        let source = &named.source;
        let wanted = Wanted::Derivations(named.attribute.clone());
        let top = match self.look_up_one(source, &wanted)? {
            Some(outcome) => outcome,
            None => {
                let (value, above) = self.value(named, true)?;
                let evaluation = self.evaluation()?;
                let member = evaluation.session.member(value).map_err(|failure| evaluation.failure(failure))?;
                let read = evaluation.reads_with(above);
                let outcome = outcome(member);
                self.remember(source, wanted, outcome.clone(), read)?;
                outcome
            }
        };
        let mut found = Vec::new();
        match top {
            Outcome::Derivation(derivation) => found.push(derivation),
            Outcome::Names(names) => {
                let mut set = Set { named, value: None };
                self.members(&mut set, &[], &names, &mut found)?;
            }
            Outcome::Nothing | Outcome::Printed(..) => {
                let message = format!("`{}` is not a derivation, nor a set of them", named.text.to_string_lossy());
                let error = CliError::evaluation_message(message);
                return Err(error.hint("a derivation is what `derivation { … }` or `mkPackage { … }` returns"));
            }
        }
        Ok(found)
    }

    /// All derivations among attributes of a set, and in the sets among them that are to be looked into.
    fn members(
        &mut self,
        set: &mut Set<'_>,
        path: &[Vec<u8>],
        names: &[Vec<u8>],
        found: &mut Vec<DerivationRef>,
    ) -> Result<(), CliError> {
        let Named { source, attribute, .. } = set.named;
        let below = |name: &Vec<u8>| [path, std::slice::from_ref(name)].concat();
        let wanted: Vec<_> = names.iter().map(|name| Wanted::Member(attribute.clone(), below(name))).collect();
        // Nothing is built from a set: that something is there is enough.
        let mut outcomes = self.look_up(source, &wanted, false)?;
        let missing: Vec<_> = (0..names.len()).filter(|index| outcomes[*index].is_none()).collect();
        if !missing.is_empty() {
            let names = missing.iter().map(|index| names[*index].clone()).collect();
            let Evaluated { outcomes: evaluated, failure } = self.evaluate_members(set, path, names)?;
            for (index, (outcome, read)) in missing.into_iter().zip(evaluated) {
                self.remember(source, wanted[index].clone(), outcome.clone(), read)?;
                outcomes[index] = Some(outcome);
            }
            if let Some(failure) = failure {
                return Err(failure);
            }
        }
        for (name, outcome) in names.iter().zip(outcomes) {
            match outcome {
                Some(Outcome::Derivation(derivation)) => found.push(derivation),
                Some(Outcome::Names(names)) => self.members(set, &below(name), &names, found)?,
                _ => {}
            }
        }
        Ok(())
    }

    /// What attributes below a set come to, up to the first that fails.
    fn evaluate_members(
        &mut self,
        set: &mut Set<'_>,
        path: &[Vec<u8>],
        names: Vec<Vec<u8>>,
    ) -> Result<Evaluated, CliError> {
        let (value, above) = match set.value {
            Some(known) => known,
            None => *set.value.insert(self.value(set.named, true)?),
        };
        let evaluation = self.evaluation()?;
        let mut evaluated = Vec::with_capacity(names.len());
        let reads = evaluation.session.reads();
        let mut each = |_: &[u8], member, read| evaluated.push((outcome(member), reads.set(vec![above, read])));
        let result = evaluation.session.members(value, path, &names, &mut each);
        let _ = evaluation.session.take_reads();
        let failed = |failure: Failure| evaluation.failure(failure);
        Ok(Evaluated { outcomes: evaluated, failure: result.err().map(failed) })
    }

    /// An attribute of a source, printed in a way.
    pub(crate) fn printed(
        &mut self,
        named: &Named,
        way: &str,
        print: impl FnOnce(&Evaluation, Value) -> Result<Vec<u8>, CliError>,
    ) -> Result<Vec<u8>, CliError> {
        let source = &named.source;
        let wanted = Wanted::Printed { attribute: named.attribute.clone(), way: way.to_owned() };
        // Nothing is built from what is printed: nothing in it need be kept.
        if let Some(Outcome::Printed(text, _)) =
            self.look_up(source, std::slice::from_ref(&wanted), false)?.pop().flatten()
        {
            return Ok(text);
        }
        let (value, above) = self.value(named, false)?;
        let evaluation = self.evaluation()?;
        let text = print(evaluation, value)?;
        let read = evaluation.reads_with(above);
        if let Some(remembered) = self.remembered(source)? {
            remembered.lock().add_printed(wanted, &text, read);
        }
        Ok(text)
    }

    /// Keeps the derivations that were made, and what was learnt.
    pub(crate) fn finish(self) -> Result<(), CliError> {
        if let Some(evaluation) = &self.evaluation {
            evaluation.flush()?;
        }
        self.finish_printing()
    }

    /// Keeps what was learnt. Derivations are not kept: who only looks at values does not want them.
    pub(crate) fn finish_printing(self) -> Result<(), CliError> {
        let evaluated = self.evaluation.as_ref().and_then(Evaluation::recorded);
        self.remembered.into_values().flatten().for_each(|remembered| remembered.lock().save(evaluated));
        Ok(())
    }

    fn evaluation(&mut self) -> Result<&Evaluation, CliError> {
        if self.evaluation.is_none() {
            self.evaluation = Some(Evaluation::recording(self.context, self.args)?);
        }
        Ok(self.evaluation.as_ref().expect("made above"))
    }

    /// The value of a source's attribute, and what having it rests on. A function is called where that is wanted, as
    /// is one that an attribute is selected from, or where there are arguments for it.
    fn value(&mut self, named: &Named, called: bool) -> Result<(Value, Read), CliError> {
        let Named { source, attribute, .. } = named;
        let remembered = self.remembered(source)?;
        let evaluation = self.evaluation()?;
        let _ = evaluation.session.take_reads();
        evaluation.session.remember(None);
        let mut value = match source {
            Source::File(path) => evaluation.file(path)?,
            Source::Text(text) => evaluation.expression(text)?,
        };
        let called = called || evaluation.has_arguments();
        if called || !attribute.is_empty() {
            value = evaluation.call(value)?;
        }
        evaluation.session.remember(remembered.map(|remembered| (value, remembered as Arc<dyn eval::Remembered>)));
        if !attribute.is_empty() {
            value = evaluation.select(value, named)?;
            value = if called { evaluation.call(value)? } else { value };
        }
        Ok((value, evaluation.session.take_reads()))
    }

    fn remembered(&mut self, source: &Source) -> Result<Option<Arc<Shared>>, CliError> {
        if !self.remembered.contains_key(source) {
            let opened = if self.args.remembers() { self.open(source)? } else { None };
            self.remembered.insert(source.clone(), opened);
        }
        Ok(self.remembered[source].clone())
    }

    fn open(&self, source: &Source) -> Result<Option<Arc<Shared>>, CliError> {
        let settings = self.args.settings();
        let directory = crate::installable::current_directory()?;
        let key = Key { source, settings: &settings, arguments: self.args.given.all(), directory: &directory };
        Ok(Evaluations::open(self.context.store()?, &key).map(Shared::new))
    }

    fn look_up(&mut self, source: &Source, wanted: &[Wanted], held: bool) -> Result<Vec<Option<Outcome>>, CliError> {
        let remembered = self.remembered(source)?;
        Ok(remembered.map_or_else(|| vec![None; wanted.len()], |remembered| remembered.lock().look_up(wanted, held)))
    }

    fn look_up_one(&mut self, source: &Source, wanted: &Wanted) -> Result<Option<Outcome>, CliError> {
        Ok(self.look_up(source, std::slice::from_ref(wanted), true)?.pop().flatten())
    }

    fn remember(&mut self, source: &Source, wanted: Wanted, outcome: Outcome, read: Read) -> Result<(), CliError> {
        if let Some(remembered) = self.remembered(source)? {
            remembered.lock().add(wanted, outcome, read);
        }
        Ok(())
    }
}

/// A set of derivations; its value when something in it had to be evaluated.
struct Set<'s> {
    named: &'s Named,
    value: Option<(Value, Read)>,
}

/// What attributes of a set came to, in turn, and why there are no more of them.
struct Evaluated {
    outcomes: Vec<(Outcome, Read)>,
    failure: Option<CliError>,
}

fn outcome(member: Member) -> Outcome {
    match member {
        Member::Other => Outcome::Nothing,
        Member::Derivation(derivation) => Outcome::Derivation(derivation),
        Member::Set(names) => Outcome::Names(names),
    }
}
