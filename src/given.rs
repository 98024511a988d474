//! `--arg` and `--argstr`: what functions are called with. Of several for one name the last counts, as in Nix.

use clap::{Arg, ArgAction, ArgMatches, Command, FromArgMatches};
use eval::Argument;
use std::collections::BTreeMap;

/// What is given, by name.
#[derive(Debug, Clone, Default)]
pub(crate) struct GivenArgs(Vec<(String, Argument)>);

impl GivenArgs {
    /// Each name once.
    pub(crate) fn all(&self) -> &[(String, Argument)] {
        &self.0
    }
}

/// Written out, because only the matches know in which order options of two names stand.
impl clap::Args for GivenArgs {
    fn augment_args(command: Command) -> Command {
        let option = |name, values, help| {
            Arg::new(name).long(name).num_args(2).value_names(values).action(ArgAction::Append).help(help)
        };
        command
            .arg(option("arg", ["NAME", "EXPR"], "Pass NAME the value of an expression, where a function asks for it"))
            .arg(option("argstr", ["NAME", "STRING"], "Pass NAME a string, where a function asks for it"))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for GivenArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut pairs: Vec<_> = pairs(matches, "arg", Argument::Expr).collect();
        pairs.extend(self::pairs(matches, "argstr", Argument::String));
        pairs.sort_unstable_by_key(|(place, ..)| *place);
        let by_name: BTreeMap<_, _> = pairs.into_iter().map(|(_, name, argument)| (name, argument)).collect();
        Ok(Self(by_name.into_iter().collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// What is given by one option: the place on the command line, the name, the argument.
fn pairs(
    matches: &ArgMatches,
    option: &str,
    argument: fn(String) -> Argument,
) -> impl Iterator<Item = (usize, String, Argument)> {
    let mut places = matches.indices_of(option).into_iter().flatten();
    let mut values = matches.get_many::<String>(option).into_iter().flatten().cloned();
    std::iter::from_fn(move || {
        let (place, _) = (places.next()?, places.next()?);
        Some((place, values.next()?, argument(values.next()?)))
    })
}
