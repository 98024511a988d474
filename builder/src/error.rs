//! Why a derivation could not be realised.

use crate::aftermath::is_no_tree;
use crate::compose::ComposeError;
use crate::ending::Ending;
use crate::fetch::FetchError;
use crate::known_failure::{KnownFailure, roughly};
use crate::lack::Lack;
use crate::permitted::{Forbidden, lines};
use crate::runtime::{Unmet, list};
use crate::sandbox::{SetupError, Step};
use crate::spawner::SpawnError;
use crate::unpack::{Problem, UnpackError};
use std::path::{Path, PathBuf};
use std::time::Duration;
use store::derivation::OutputName;
use store::local::{IngestError, IoError, StoreError};
use store::{FileHash, Input, StorePath};

/// Why one derivation could not be realised.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The file system failed outside of the store.
    #[error(transparent)]
    Io(#[from] IoError),
    /// It is to be built on another kind of machine.
    #[error("it is for {wanted}, this machine is {have}")]
    System {
        /// The system it names.
        wanted: String,
        /// The system there is.
        have: String,
    },
    /// Its root cannot be composed.
    #[error("its root cannot be composed:\n{0}")]
    Compose(#[from] ComposeError),
    /// The sandbox could not be entered.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// The process that starts sandboxes failed.
    #[error(transparent)]
    Spawn(#[from] SpawnError),
    /// The builder said that it failed, was killed or was stopped.
    #[error("the builder {ending} after {:.1} s", duration.as_secs_f64())]
    Builder {
        /// How.
        ending: Ending,
        /// How long it ran.
        duration: Duration,
        /// The last lines it printed.
        tail: Vec<String>,
        /// The whole log.
        log: PathBuf,
        /// Where its files are kept.
        kept: Option<PathBuf>,
        /// What it seems to have lacked.
        lack: Option<Lack>,
    },
    /// The action failed before, and is not tried again unless that is asked for.
    #[error("it failed before, {} ago: {}", roughly(failure.age()), failure.message)]
    FailedBefore {
        /// How it failed.
        failure: Box<KnownFailure>,
        /// The derivation.
        derivation: StorePath,
        /// The whole log.
        log: PathBuf,
    },
    /// The builder succeeded, but what it made is not what it must be.
    #[error("{error}")]
    Refused {
        /// What is wrong with it.
        #[source]
        error: Box<BuildError>,
        /// The last lines it printed.
        tail: Vec<String>,
        /// The whole log.
        log: PathBuf,
        /// Where its files are kept, but for the outputs.
        kept: Option<PathBuf>,
    },
    /// An output was not created.
    #[error("the builder succeeded but did not create the output `{output}`{}", list_created(created))]
    MissingOutput {
        /// The output.
        output: OutputName,
        /// What it created in the directory of outputs.
        created: Vec<String>,
    },
    /// Something was created that is no output.
    #[error("the builder created `{0}` beside its outputs")]
    ExtraOutput(String),
    /// An output is not a tree.
    #[error("output `{output}`: {source}")]
    Output {
        /// The output.
        output: OutputName,
        /// Why not.
        source: IngestError,
    },
    /// A fixed output is not what was expected.
    #[error("the output has not the expected hash\n  expected {expected}\n  got      {got}")]
    FixedHash {
        /// What the derivation says.
        expected: FileHash,
        /// What it is.
        got: FileHash,
    },
    /// An output whose hash is that of a file is no plain file.
    #[error("the output is not a plain file, but its hash is that of one")]
    FixedNotAFile,
    /// Files of the output need what is not there at run time.
    #[error("{}", list(unmet))]
    Runtime {
        /// What, and of which files.
        unmet: Vec<Unmet>,
        /// Whether the outputs are kept, to be verified again when what they may need has changed.
        kept: bool,
    },
    /// Outputs need what they must not.
    #[error("{}", lines(forbidden, *more))]
    Forbidden {
        /// What, as far as it is told.
        forbidden: Vec<Forbidden>,
        /// How much there is besides.
        more: usize,
    },
    /// An attribute of the derivation is malformed, or asks for what larder does not do.
    #[error("`{attribute}`: {problem}")]
    Attribute {
        /// The attribute.
        attribute: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Nothing could be fetched.
    #[error(transparent)]
    Fetch(FetchError),
    /// An archive cannot be unpacked.
    #[error(transparent)]
    Unpack(UnpackError),
    /// A builder inside larder was asked for something it does not know.
    #[error("{builder}: {problem}")]
    Builtin {
        /// The builder.
        builder: String,
        /// What is wrong.
        problem: String,
    },
    /// It names an output that the other derivation does not have.
    #[error("it needs {0}, but that derivation has no such output")]
    UnknownInput(Input),
    /// A bug: the code that realises derivations panicked.
    #[error("a bug of larder: {0}")]
    Panic(String),
    /// The run was cancelled.
    #[error("interrupted")]
    Cancelled,
}

impl From<FetchError> for BuildError {
    fn from(error: FetchError) -> Self {
        match error {
            FetchError::Cancelled => Self::Cancelled,
            error => Self::Fetch(error),
        }
    }
}

impl From<UnpackError> for BuildError {
    fn from(error: UnpackError) -> Self {
        match error.problem() {
            Some(Problem::Cancelled) => Self::Cancelled,
            _ => Self::Unpack(error),
        }
    }
}

/// What a failed build left for people to look at.
#[derive(Debug, Clone, Copy, Default)]
pub struct Left<'e> {
    /// The last lines of its log.
    pub tail: &'e [String],
    /// Its log.
    pub log: Option<&'e Path>,
    /// Where its files are kept.
    pub kept: Option<&'e Path>,
}

impl BuildError {
    pub(crate) fn attribute(attribute: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Attribute { attribute: attribute.into(), problem: problem.into() }
    }

    /// What the build left; nothing of what is no failure of a build.
    #[must_use]
    pub fn left(&self) -> Left<'_> {
        match self {
            Self::Builder { tail, log, kept, .. } | Self::Refused { tail, log, kept, .. } => {
                Left { tail, log: Some(log), kept: kept.as_deref() }
            }
            Self::FailedBefore { failure, log, .. } => {
                Left { tail: &failure.tail, log: Some(log), kept: failure.kept.as_deref() }
            }
            _ => Left::default(),
        }
    }

    /// What is wrong, without what the build left.
    #[must_use]
    pub fn reason(&self) -> &Self {
        match self {
            Self::Refused { error, .. } => error,
            _ => self,
        }
    }

    /// Whether it says of outputs that they are not what they must be.
    pub(crate) const fn is_of_outputs(&self) -> bool {
        match self {
            Self::MissingOutput { .. } | Self::ExtraOutput(_) | Self::FixedHash { .. } | Self::FixedNotAFile => true,
            Self::Runtime { .. } | Self::Forbidden { .. } => true,
            // A full disk, say, is not the output's fault.
            Self::Output { source, .. } => is_no_tree(source),
            _ => false,
        }
    }

    /// Whether the action fails so whenever it is tried: it is the action's own doing, as far as one can tell, and not the machine's.
    #[must_use]
    pub fn is_lasting(&self) -> bool {
        match self.reason() {
            // Shells report programs that were killed with 128 and the signal's number.
            Self::Builder { ending: Ending::Exited(code), lack: None, .. } => *code <= 128,
            // What is missing at run time may be declared by a dependency later, which does not make the action another one.
            Self::MissingOutput { .. } | Self::ExtraOutput(_) => true,
            Self::FixedHash { .. } | Self::FixedNotAFile => true,
            Self::Output { source, .. } => is_no_tree(source),
            _ => false,
        }
    }

    /// Whether it may succeed where no other build needs memory. What reached a limit of its own would reach it again.
    #[must_use]
    pub const fn is_lack_of_memory(&self) -> bool {
        matches!(self, Self::Builder { ending: Ending::OutOfMemory { limit: None }, .. })
    }

    /// What may help.
    #[must_use]
    pub fn hints(&self) -> Vec<String> {
        match self.reason() {
            Self::Setup(error) if error.step == Step::Exec && error.errno == libc::ENOENT => {
                vec![
                    "nothing of this machine is seen inside: a tree in `root`, or in the run-time closure for `larder run`, must have it and its interpreter"
                        .to_owned(),
                ]
            }
            Self::Setup(error) if error.step == Step::Exec && error.errno == libc::E2BIG => {
                vec!["its arguments and variables are more than a program can be started with: put what is long into a file, as with `passAsFile`".to_owned()]
            }
            Self::Store(error) if error.is_lack_of_space() => vec![Lack::Disk.hint()],
            Self::Io(error) if error.is_lack_of_space() => vec![Lack::Disk.hint()],
            Self::Setup(error) => error.remedy.iter().map(ToString::to_string).collect(),
            Self::Builder { ending, lack, .. } => ending.hint().or_else(|| lack.map(Lack::hint)).into_iter().collect(),
            Self::FailedBefore { derivation, .. } => {
                vec![format!("to build it again: larder build --retry {derivation}")]
            }
            Self::Fetch(error) => error.hints(),
            Self::Compose(ComposeError::Conflicts(_)) => {
                vec![
                    "list the owner whose file shall win in `override`, or leave one of the two out of `root`"
                        .to_owned(),
                ]
            }
            Self::Runtime { kept, .. } => {
                let kept = kept.then(|| "its outputs are kept: where only `runtime` changes, or `allowedUnmet`, they are verified again and nothing is built".to_owned());
                [
                    "add the package that has it to `runtime`, or correct the file that names it".to_owned(),
                    "what need not be there, as of a tool that nobody runs, is named in `allowedUnmet`".to_owned(),
                ]
                .into_iter()
                .chain(kept)
                .collect()
            }
            Self::Forbidden { .. } => {
                vec!["take what mentions it out of the output, or let the derivation permit it".to_owned()]
            }
            Self::FixedHash { got, .. } => {
                vec![format!("if the new content is right, put `{got}` into the recipe")]
            }
            _ => Vec::new(),
        }
    }
}

fn list_created(created: &[String]) -> String {
    let names: Vec<_> = created.iter().map(|name| name.escape_debug().to_string()).collect();
    if names.is_empty() { String::new() } else { format!("; it created {}", names.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ended_a_build_is_told_before_what_it_may_have_lacked() {
        let hints = |ending, lack| {
            let (duration, tail, log) = (Duration::ZERO, Vec::new(), PathBuf::new());
            BuildError::Builder { ending, duration, tail, log, kept: None, lack }.hints().join("; ")
        };
        let at_limit = Ending::OutOfMemory { limit: Some(1) };
        assert!(hints(at_limit, Some(Lack::Memory)).contains("--max-build-memory"));
        assert!(hints(Ending::Exited(1), Some(Lack::Room)).contains("--max-build-size"));
        assert!(hints(Ending::Exited(1), Some(Lack::Disk)).contains("`larder gc`"));
        assert_eq!(hints(Ending::Exited(1), None), "");
    }
}
