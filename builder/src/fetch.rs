//! Fetching one file whose hash is known, from the first of several places that has it.
//!
//! The network is hostile: what is kept has the expected hash, and nothing else is kept. Servers can neither lead the
//! client to local files or to addresses that are not public (by redirects), nor make it read for ever, nor learn
//! credentials that are for another server. Everything that influences a fetch is in [`FetchSettings`], which the caller
//! reads from configuration: neither the environment nor the machine's settings are looked at.

mod address;
mod apt_sources;
mod candidate;
mod cargo_registries;
mod connection;
mod error;
mod mirrors;
mod partial;
mod patience;
mod probe;
mod transfer;
mod url;

pub use apt_sources::read_apt_sources;
pub use candidate::Candidate;
pub use cargo_registries::read_cargo_registries;
pub use error::{FetchError, FetchSettingsError, Reason, UrlFailure};
pub use mirrors::{Mirrors, ResolveError};
pub use probe::Found;
pub use url::{Url, UrlError};

use connection::Connections;
use partial::PartialFile;
use std::path::{Path, PathBuf};
use std::time::Duration;
use store::FileHash;
use transfer::Transfer;

/// What to fetch.
#[derive(Debug, Clone)]
pub struct FetchRequest {
    /// Where it may be, tried in this order: `http://…`, `https://…` or `mirror://NAME/path`.
    pub urls: Vec<String>,
    /// What the content must hash to; `None` if that is looked at afterwards, of what is made from it.
    pub hash: Option<FileHash>,
    /// When to give up.
    pub limits: FetchLimits,
    /// Where much that has arrived is kept if this is interrupted, and may have been left by a fetch of the same that was: a path for this
    /// hash alone, on the file system of the destination. Nothing is kept without a hash.
    pub keeping: Option<PathBuf>,
}

/// Who wants something fetched.
pub struct FetchClient<'c> {
    /// Called for every piece that arrives.
    pub progress: &'c mut dyn FnMut(Progress<'_>),
    /// Whether it is not wanted any more; asked again and again, also while nothing arrives.
    pub cancelled: &'c dyn Fn() -> bool,
    /// Looks at what came from a place, at the destination, and may refuse it: then the next place is tried.
    pub accept: &'c mut dyn FnMut(&Path) -> Result<(), Reason>,
}

/// When to give up fetching from one place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FetchLimits {
    /// Most bytes of content.
    pub bytes: u64,
    /// Longest time for connecting.
    pub connect: Duration,
    /// Longest time without a byte arriving.
    pub idle: Duration,
    /// Longest time for all attempts at one place together.
    pub total: Duration,
}

impl Default for FetchLimits {
    /// 16 GiB; 20 seconds for connecting, 60 without a byte, two hours altogether.
    fn default() -> Self {
        Self {
            bytes: 16 << 30,
            connect: Duration::from_secs(20),
            idle: Duration::from_secs(60),
            total: Duration::from_secs(2 * 3600),
        }
    }
}

/// How to fetch, by configuration.
#[derive(Debug, Clone)]
pub struct FetchSettings {
    /// What `mirror://` means, and where content may be found by its hash.
    pub mirrors: Mirrors,
    /// Through which proxy, if any.
    pub proxy: Option<ProxySettings>,
    /// Which certificate authorities to believe.
    pub authorities: Authorities,
    /// How often one place is tried.
    pub attempts: u32,
    /// Pause before the second attempt at one place; it doubles with every further one.
    pub back_off: Duration,
    /// Whether redirects may lead to loopback, private and link-local addresses.
    pub private_redirects: bool,
}

impl Default for FetchSettings {
    fn default() -> Self {
        Self {
            mirrors: Mirrors::default(),
            proxy: None,
            authorities: Authorities::Bundled,
            attempts: 4,
            back_off: Duration::from_secs(1),
            private_redirects: false,
        }
    }
}

/// A proxy.
#[derive(Clone, PartialEq, Eq)]
pub struct ProxySettings {
    /// Where it is: `http://[user:password@]host:port`.
    pub url: String,
    /// Hosts that are reached without it, as in `no_proxy`: `host`, `.domain` or `*`.
    pub except: Vec<String>,
}

impl std::fmt::Debug for ProxySettings {
    /// Without the URL, which may hold a password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ProxySettings").field("except", &self.except).finish_non_exhaustive()
    }
}

/// The certificate authorities that servers may be vouched for by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Authorities {
    /// Those that this program was built with (Mozilla's).
    Bundled,
    /// Those in a file of PEM certificates, as the machine has one; it is read when something is fetched.
    File(PathBuf),
    /// Those of the machine, in such a file where nobody named one: if it is damaged, those that this program was built with. What is
    /// fetched is believed for its hash, so that no more is lost than secrecy.
    Machine(PathBuf),
}

/// How far a fetch is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress<'a> {
    /// Where from, without credentials.
    pub url: &'a str,
    /// Bytes so far.
    pub bytes: u64,
    /// Bytes altogether, if the server says.
    pub total: Option<u64>,
}

/// What was fetched.
#[derive(Debug)]
pub struct Fetched {
    /// Where from, without credentials.
    pub url: String,
    /// Bytes of the file.
    pub bytes: u64,
    /// What failed before.
    pub failures: Vec<UrlFailure>,
}

/// Fetches files; connections are kept between fetches.
#[derive(Debug)]
pub struct Fetcher {
    settings: FetchSettings,
    connections: Connections,
}

impl Fetcher {
    /// Prepares fetching. Nothing is connected yet.
    ///
    /// # Errors
    /// When the proxy's URL or the certificates cannot be read.
    pub fn new(settings: FetchSettings) -> Result<Self, FetchSettingsError> {
        let connections = Connections::new(&settings)?;
        Ok(Self { settings, connections })
    }

    /// Why the machine's own certificate authorities are not believed, if they are not.
    #[must_use]
    pub fn passed_over(&self) -> Option<String> {
        let error = self.connections.passed_over()?;
        Some(format!("{error}: those that larder was built with are believed instead"))
    }

    /// Fetches `request` into `destination`, which must not exist. After an error it does not exist either, but what has arrived by then may
    /// be where the request has it kept.
    ///
    /// Places are tried in this order: directories of this machine that the configuration names, the request's URLs, and
    /// mirrors by content hash.
    ///
    /// # Errors
    /// When the file cannot be created, or no place has content of that hash; then with what each of them answered. When it is cancelled.
    pub fn fetch(
        &self,
        request: &FetchRequest,
        destination: &Path,
        client: &mut FetchClient<'_>,
    ) -> Result<Fetched, FetchError> {
        let at_destination = |source| FetchError::Destination { path: destination.to_owned(), source };
        let keeping = request.keeping.as_deref();
        let mut file =
            PartialFile::open(destination, request.hash.as_ref(), keeping, client.cancelled).map_err(at_destination)?;
        let mut failures = Vec::new();
        for candidate in self.settings.mirrors.candidates(request) {
            let (connections, settings) = (&self.connections, &self.settings);
            let mut transfer = Transfer { connections, settings, request, client: &mut *client };
            let arrived = candidate.and_then(|candidate| transfer.run(&candidate, &mut file));
            let accepted = arrived.and_then(|url| {
                let accepted = file.arrive().map_err(Reason::Write).and_then(|()| (client.accept)(destination));
                accepted
                    .map(|()| url.clone())
                    .map_err(|reason| UrlFailure { attempts: 1, ..UrlFailure::new(&url, reason) })
            });
            match accepted {
                Err(UrlFailure { reason: Reason::Cancelled, .. }) => return Err(FetchError::Cancelled),
                Ok(url) => return Ok(Fetched { url, bytes: file.keep(), failures }),
                Err(failure) => {
                    // With what broke off, the next place can go on.
                    if !failure.reason.breaks_off() {
                        file.restart().map_err(at_destination)?;
                    }
                    failures.push(failure);
                }
            }
        }
        Err(FetchError::Failed { failures, expected: request.hash.clone() })
    }
}
