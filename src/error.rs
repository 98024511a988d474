//! The one place where errors become messages and exit codes.
//!
//! Libraries return typed errors; here each becomes a kind, which gives the exit code, a message with its causes, and hints. Messages
//! are lower case, without a final period, and say what failed and on which thing; hints say what to do.

use crate::adding::AddError;
use crate::interrupt::Request;
use crate::output;
use crate::text::harmless;
use builder::BuildError;
use std::error::Error;
use std::path::Path;
use std::process::ExitCode;
use store::local::{IndexError, LookupError, RootError, StoreError};
use store::shown;

/// What kind of failure it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A build or check failed.
    Failed,
    /// The command was called wrongly, or names a file that is not there.
    Usage,
    /// An expression is wrong.
    Evaluation,
    /// Somebody asked larder to end.
    Interrupted(Request),
    /// A bug of larder.
    Internal,
}

/// A failure to tell the user of.
#[derive(Debug)]
pub(crate) struct CliError {
    kind: Kind,
    message: String,
    hints: Vec<String>,
    /// Already laid out, with its own heading.
    rendered: bool,
}

impl CliError {
    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self { kind: Kind::Failed, message: message.into(), hints: Vec::new(), rendered: false }
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self { kind: Kind::Usage, ..Self::failed(message) }
    }

    /// What the command line names is not there.
    pub(crate) fn missing(path: &Path) -> Self {
        Self::usage(format!("{} does not exist", shown(&path)))
    }

    /// A file that the command line names cannot be used.
    pub(crate) fn cannot(verb: &str, path: &Path, error: &std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory => Self::missing(path),
            _ => Self::failed(format!("cannot {verb} {}: {error}", shown(&path))),
        }
    }

    /// What failed, for who tells of it in words of its own.
    pub(crate) fn into_message(self) -> String {
        self.message
    }

    /// Larder was asked to end, and does.
    pub(crate) fn interrupted(request: Request) -> Self {
        Self { kind: Kind::Interrupted(request), ..Self::failed("interrupted") }
    }

    pub(crate) fn internal(message: impl Into<String>) -> Self {
        Self { kind: Kind::Internal, ..Self::failed(message) }
    }

    /// Diagnostics of the evaluator, already laid out.
    pub(crate) fn evaluation(rendered: String) -> Self {
        Self { kind: Kind::Evaluation, rendered: true, ..Self::failed(rendered) }
    }

    pub(crate) fn evaluation_message(message: impl Into<String>) -> Self {
        Self { kind: Kind::Evaluation, ..Self::failed(message) }
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// The same, but there is nothing to print any more.
    pub(crate) fn told(self) -> Self {
        Self { message: String::new(), hints: Vec::new(), rendered: true, ..self }
    }

    /// What failed, without hints.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    pub(crate) fn print(&self) {
        if self.rendered {
            output::error(&self.message);
        } else {
            output::error(&format!("{} {}\n", output::styled("error:", "1;31"), harmless(&self.message)));
        }
        for hint in &self.hints {
            output::error(&format!("{} {}\n", output::styled("hint:", "1;36"), harmless(hint)));
        }
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self.kind {
            Kind::Failed => 1,
            Kind::Usage => 2,
            Kind::Evaluation => 3,
            Kind::Interrupted(request) => request.exit_code(),
            Kind::Internal => 100,
        })
    }
}

/// What helps where a disk is full.
const MAKES_ROOM: &str = "`larder gc` makes room, also on a full disk as long as the store has its `reserve`";

/// An error with all its causes, separated by colons.
pub(crate) fn with_causes(error: &dyn Error) -> String {
    let mut message = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        // Some errors repeat their cause in their own text.
        if !message.ends_with(&text) {
            message = format!("{message}: {text}");
        }
        cause = error.source();
    }
    message
}

impl From<StoreError> for CliError {
    fn from(error: StoreError) -> Self {
        Self::from(&error)
    }
}

impl From<AddError> for CliError {
    fn from(error: AddError) -> Self {
        Self::from(error.reason())
    }
}

impl From<&StoreError> for CliError {
    fn from(error: &StoreError) -> Self {
        let failed = Self::failed(with_causes(error));
        match error {
            StoreError::Index { source: IndexError::Newer { .. }, .. } => {
                failed.hint("the index is only made from what is in the store: `larder` of that version can use both")
            }
            full if full.is_lack_of_space() => failed.hint(MAKES_ROOM),
            StoreError::Index { source: IndexError::Sqlite(_), .. } => {
                failed.hint("if it is damaged, `larder rebuild-index` makes it anew from what is in the store")
            }
            StoreError::UnseenRoot { name, .. } => failed
                .hint("nothing is deleted as long as it may hold something")
                .hint(format!("if it is not needed any more: `larder roots remove {name}`")),
            StoreError::UnreadSegment { .. } => failed
                .hint("nothing is deleted as long as something may be needed that is recorded there")
                .hint("`larder verify --repair`, as the owner of the file, makes its records known again"),
            StoreError::NotValid(path) => {
                failed.hint(format!("`larder realise {path}` builds it again, if its derivation is known"))
            }
            _ => failed,
        }
    }
}

impl From<RootError> for CliError {
    fn from(error: RootError) -> Self {
        let failed = Self::failed(with_causes(&error));
        match error {
            RootError::Io(error) if error.is_lack_of_space() => failed.hint(MAKES_ROOM),
            RootError::Unknown { .. } => failed.hint("`larder roots list` shows all"),
            RootError::Profile { name } => failed.hint(format!("`larder roots remove {name} --all-generations` does that")),
            RootError::NoProfile { .. } => failed.hint("`larder roots generations` shows all"),
            RootError::NoGeneration { profile, .. } => {
                failed.hint(format!("`larder roots generations {profile}` shows those there are"))
            }
            RootError::Current { profile, .. } => failed.hint(format!(
                "`larder roots rollback {profile}` makes the one before it current; `larder roots remove {profile} --all-generations` removes all"
            )),
            _ => failed,
        }
    }
}

impl From<LookupError> for CliError {
    fn from(error: LookupError) -> Self {
        match error {
            LookupError::Store(error) => error.into(),
            LookupError::Form(_) => {
                Self::usage(with_causes(&error)).hint("a recipe is named PATH#ATTR, as `recipes#hello`")
            }
            LookupError::Unknown(_) | LookupError::Ambiguous { .. } => Self::failed(with_causes(&error)),
        }
    }
}

impl From<BuildError> for CliError {
    fn from(error: BuildError) -> Self {
        let mut failed = Self::failed(with_causes(&error));
        failed.hints = error.hints();
        failed
    }
}

impl From<store::local::IoError> for CliError {
    fn from(error: store::local::IoError) -> Self {
        Self::failed(with_causes(&error))
    }
}
