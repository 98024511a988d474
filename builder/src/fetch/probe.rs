//! Asking whether a file can be had, without fetching it.

use super::candidate::Candidate;
use super::error::{Reason, UrlFailure};
use super::transfer::Transfer;
use super::{FetchClient, FetchRequest, Fetcher};
use std::path::Path;

/// A place that has the file, as far as it can be told without reading it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Where, without credentials.
    pub url: String,
    /// Bytes, if the place says.
    pub bytes: Option<u64>,
}

impl Fetcher {
    /// Looks for the first place that has the file of a request, in the order in which they would be tried. Servers are asked
    /// for its first byte only, so its hash is not looked at.
    ///
    /// # Errors
    /// What each place answered, when none has it.
    pub fn probe(&self, request: &FetchRequest) -> Result<Found, Vec<UrlFailure>> {
        let mut failures = Vec::new();
        for candidate in self.settings.mirrors.candidates(request) {
            match candidate.and_then(|candidate| self.probe_place(&candidate, request)) {
                Ok(found) => return Ok(found),
                Err(failure) => failures.push(failure),
            }
        }
        Err(failures)
    }

    fn probe_place(&self, candidate: &Candidate, request: &FetchRequest) -> Result<Found, UrlFailure> {
        let shown = candidate.to_string();
        let bytes = match candidate {
            Candidate::File(path) => file_size(path).map(Some).map_err(|reason| UrlFailure::new(&shown, reason))?,
            Candidate::Server(url) => {
                let (connections, settings) = (&self.connections, &self.settings);
                let client = &mut FetchClient { progress: &mut |_| {}, cancelled: &|| false, accept: &mut |_| Ok(()) };
                Transfer { connections, settings, request, client }.probe(url)?
            }
        };
        Ok(Found { url: shown, bytes })
    }
}

fn file_size(path: &Path) -> Result<u64, Reason> {
    let metadata = path.metadata().map_err(Reason::Read)?;
    if metadata.is_file() { Ok(metadata.len()) } else { Err(Reason::Read(std::io::Error::other("not a regular file"))) }
}
