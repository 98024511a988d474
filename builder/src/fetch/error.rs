//! Why a fetch failed: what each place answered.

use super::mirrors::ResolveError;
use super::url::UrlError;
use crate::unpack::UnpackError;
use std::fmt;
use std::io;
use std::net::IpAddr;
use std::path::PathBuf;
use store::FileHash;
use store::shown;

/// Settings that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FetchSettingsError {
    /// The proxy's URL cannot be read. It is not shown, because it may hold a password.
    #[error("the proxy's URL is malformed: expected `http://[user:password@]host:port`")]
    Proxy,
    /// The file of certificate authorities cannot be read.
    #[error("cannot read the certificate authorities in {}", shown(path))]
    AuthoritiesFile {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file of certificate authorities has none, or something else.
    #[error("{} has no certificate authorities: PEM certificates are expected", shown(path))]
    Authorities {
        /// The file.
        path: PathBuf,
    },
}

/// Why nothing was fetched.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The file to fetch into cannot be created.
    #[error("cannot create {}", shown(path))]
    Destination {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// No place had the wanted content.
    #[error("cannot fetch {}:{}", wanted(.expected.as_ref()), list(.failures))]
    Failed {
        /// What each place answered, in the order in which they were tried.
        failures: Vec<UrlFailure>,
        /// The wanted hash.
        expected: Option<FileHash>,
    },
    /// Nobody wants it any more.
    #[error("interrupted")]
    Cancelled,
}

impl FetchError {
    /// What may help.
    #[must_use]
    pub fn hints(&self) -> Vec<String> {
        let Self::Failed { failures, .. } = self else { return Vec::new() };
        let mut hints: Vec<String> = failures.iter().filter_map(|failure| failure.reason.hint()).collect();
        hints.dedup();
        if failures.is_empty() {
            hints.push("the request names no URL, and no mirror by hash is configured".to_owned());
        }
        hints
    }
}

fn wanted(hash: Option<&FileHash>) -> String {
    hash.map_or_else(|| "the content".to_owned(), |hash| format!("content with the hash {hash}"))
}

fn list(failures: &[UrlFailure]) -> String {
    if failures.is_empty() {
        " there is no place to fetch from".to_owned()
    } else {
        failures.iter().map(|failure| format!("\n  {failure}")).collect()
    }
}

/// What one place answered.
#[derive(Debug)]
pub struct UrlFailure {
    /// The place, without credentials.
    pub url: String,
    /// Where redirects led to, if they did.
    pub redirected: Option<String>,
    /// How often it was tried.
    pub attempts: u32,
    /// Why the last attempt failed.
    pub reason: Reason,
}

impl UrlFailure {
    /// A place that was not even tried.
    pub(super) fn new(url: &str, reason: Reason) -> Self {
        Self { url: url.to_owned(), redirected: None, attempts: 0, reason }
    }
}

impl fmt::Display for UrlFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.url)?;
        if let Some(redirected) = &self.redirected {
            write!(f, " (redirected to {redirected})")?;
        }
        write!(f, ": {}", self.reason)?;
        if self.attempts > 1 {
            write!(f, " ({} attempts)", self.attempts)?;
        }
        Ok(())
    }
}

/// Why one place failed.
#[derive(Debug, thiserror::Error)]
pub enum Reason {
    /// The URL names no place.
    #[error(transparent)]
    Resolve(#[from] ResolveError),
    /// The content has another hash.
    #[error("the content has another hash: got {got}, expected {expected}")]
    WrongHash {
        /// What the content hashes to.
        got: FileHash,
        /// What was wanted.
        expected: FileHash,
    },
    /// The content is an archive that cannot be unpacked.
    #[error("{0}")]
    Unpack(#[source] Box<UnpackError>),
    /// The content is larger than the limit.
    #[error("the content is larger than the limit of {limit} bytes{}", of_size(.size))]
    TooLarge {
        /// The limit.
        limit: u64,
        /// Its size, if the server says.
        size: Option<u64>,
    },
    /// The server answered with a status that is no success.
    #[error("the server answered {status}{}", in_words(*.status))]
    Status {
        /// The status.
        status: u16,
    },
    /// The content ended early.
    #[error("the connection ended after {got} of {expected} bytes")]
    Short {
        /// Bytes that came.
        got: u64,
        /// Bytes that were promised.
        expected: u64,
    },
    /// The content, of which nobody said how long it is, is not what was wanted; perhaps it ended early.
    #[error("the connection ended after {got} bytes, and nobody said how many there are")]
    PerhapsShort {
        /// Bytes that came.
        got: u64,
    },
    /// What the server has is not what an earlier attempt began with.
    #[error("the server answered {0} to going on, with other content")]
    NotResumed(u16),
    /// All attempts together took too long.
    #[error("it took longer than the limit of {0} seconds")]
    Time(u64),
    /// A redirect to what must not be reached by one.
    #[error("redirect refused: {0}")]
    Redirect(#[source] UrlError),
    /// A redirect without a readable `Location`.
    #[error("the server answered a redirect without a location")]
    NoLocation,
    /// Too many redirects.
    #[error("more than {0} redirects")]
    TooManyRedirects(usize),
    /// A redirect to an address that is not public.
    #[error("redirect refused: {host} is {address}, which is not a public address")]
    PrivateAddress {
        /// The host that the redirect names.
        host: String,
        /// What it resolves to.
        address: IpAddr,
    },
    /// The server cannot be talked to.
    #[error("{0}")]
    Transport(#[source] Box<ureq::Error>),
    /// The connection broke while content arrived.
    #[error("the connection broke: {0}")]
    Receive(#[source] io::Error),
    /// A file of this machine cannot be read.
    #[error("cannot read: {0}")]
    Read(#[source] io::Error),
    /// What arrived cannot be written.
    #[error("cannot write what arrived: {0}")]
    Write(#[source] io::Error),
    /// The thread that talks with the server could not be had, or failed.
    #[error("the thread that talks with the server: {0}")]
    Thread(#[source] io::Error),
    /// Nobody wants it any more.
    #[error("interrupted")]
    Cancelled,
}

impl Reason {
    /// Whether another attempt at the same place may go better.
    pub(super) fn is_passing(&self) -> bool {
        match self {
            Self::Status { status } => matches!(status, 408 | 425 | 429 | 500 | 502 | 503 | 504),
            Self::Short { .. } | Self::PerhapsShort { .. } | Self::Receive(_) | Self::NotResumed(_) => true,
            Self::Transport(error) => !is_lasting(error),
            _ => false,
        }
    }

    /// Whether what has arrived by then may be the beginning of what is wanted.
    pub(super) fn breaks_off(&self) -> bool {
        !matches!(
            self,
            Self::WrongHash { .. }
                | Self::Unpack(_)
                | Self::TooLarge { .. }
                | Self::PerhapsShort { .. }
                | Self::NotResumed(_)
                | Self::Write(_)
        )
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::WrongHash { got, .. } => {
                format!("if the publisher changed the content and you trust the new one, set the hash to `{got}`")
            }
            Self::Resolve(ResolveError::UnknownMirror { name, .. }) => {
                format!("say where it is: LARDER_MIRRORS='{name}=URL'")
            }
            Self::PrivateAddress { .. } => "name the final URL itself".to_owned(),
            _ => return None,
        })
    }
}

/// Whether an error of the client will be the same next time: bad certificates and URLs, but not broken connections.
fn is_lasting(error: &ureq::Error) -> bool {
    match error {
        ureq::Error::Rustls(_) | ureq::Error::Tls(_) | ureq::Error::BadUri(_) | ureq::Error::Http(_) => true,
        // What rustls finds wrong comes wrapped like this.
        ureq::Error::Io(error) => error.kind() == io::ErrorKind::InvalidData,
        _ => false,
    }
}

fn of_size(size: &Option<u64>) -> String {
    size.map_or_else(String::new, |size| format!(": it has {size}"))
}

fn in_words(status: u16) -> &'static str {
    match status {
        401 => " (credentials needed)",
        403 => " (forbidden)",
        404 => " (not found)",
        410 => " (gone)",
        416 => " (range not satisfiable)",
        429 => " (too many requests)",
        500 => " (internal error)",
        502 => " (bad gateway)",
        503 => " (unavailable)",
        504 => " (gateway time-out)",
        _ => "",
    }
}
