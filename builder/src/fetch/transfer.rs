//! Getting the content from one place: attempts, redirects, going on where a broken attempt stopped, limits.

use super::candidate::Candidate;
use super::connection::{Call, Connections, Part};
use super::error::{Reason, UrlFailure};
use super::partial::PartialFile;
use super::patience::{INTERVAL, Pieces};
use super::url::Url;
use super::{FetchClient, FetchRequest, FetchSettings, Progress};
use rustix::fs::{CWD, Mode, OFlags};
use std::fs::File;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};
use ureq::Body;
use ureq::http::Response;
use ureq::http::header::{
    CONTENT_LENGTH, CONTENT_RANGE, ETAG, HeaderName, LAST_MODIFIED, LOCATION, RETRY_AFTER, TRANSFER_ENCODING,
};

const MAX_REDIRECTS: usize = 10;
const MAX_PAUSE: Duration = Duration::from_secs(60);

/// Everything about getting one request's content.
pub(super) struct Transfer<'a, 'p> {
    pub(super) connections: &'a Connections,
    pub(super) settings: &'a FetchSettings,
    pub(super) request: &'a FetchRequest,
    pub(super) client: &'a mut FetchClient<'p>,
}

/// What is known about one server's content while it is tried.
struct Attempts {
    url: Url,
    deadline: Instant,
    count: u32,
    /// By what the content that is in the file can be resumed.
    validator: Option<Validator>,
    /// Whether the file begins with what came from elsewhere, or in an earlier run: with no validator the hash of the whole tells whether
    /// what is put together is right.
    begun: bool,
    /// Whether content of unknown length was not what it was to be, once.
    doubted: bool,
    redirected: Option<String>,
    retry_after: Option<Duration>,
}

impl Attempts {
    fn new(url: &Url, deadline: Instant) -> Self {
        let (url, redirected, retry_after) = (url.clone(), None, None);
        Self { url, deadline, count: 0, validator: None, begun: false, doubted: false, redirected, retry_after }
    }
}

/// What tells one version of a content from another.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Validator {
    /// A strong entity tag: another one for any other bytes.
    Tag(String),
    /// When it was changed last. What is changed twice within a second has the same, so that what is resumed by it may be wrong.
    Date(String),
}

impl Validator {
    fn of(response: &Response<Body>) -> Option<Self> {
        // A weak tag says that two contents mean the same, not that they have the same bytes.
        let tag = header(response, &ETAG).filter(|tag| tag.starts_with('"')).map(|tag| Self::Tag(tag.to_owned()));
        tag.or_else(|| header(response, &LAST_MODIFIED).map(|date| Self::Date(date.to_owned())))
    }

    fn text(&self) -> &str {
        match self {
            Self::Tag(text) | Self::Date(text) => text,
        }
    }

    /// Whether a part with this validator may be of the same content. Without one the server has compared.
    fn admits(&self, other: Option<&Self>) -> bool {
        match (self, other) {
            (Self::Tag(_), Some(Self::Date(_))) | (_, None) => true,
            (_, Some(other)) => self == other,
        }
    }
}

/// An answer that has content to read.
struct Answer {
    response: Response<Body>,
    /// Bytes of the whole content, if the server says.
    total: Option<u64>,
    /// Whether the content ends where the connection does.
    ends_by_closing: bool,
}

impl Transfer<'_, '_> {
    /// Gets the content from `candidate` into `file`; where it came from.
    pub(super) fn run(&mut self, candidate: &Candidate, file: &mut PartialFile) -> Result<String, UrlFailure> {
        let shown = candidate.to_string();
        // Without a hash nobody would notice that two parts are of different contents.
        let ready = if self.request.hash.is_none() { file.restart() } else { Ok(()) };
        ready.map_err(|error| UrlFailure::new(&shown, Reason::Write(error))).and_then(|()| match candidate {
            Candidate::File(path) => self
                .copy(path, &shown, file)
                .map_err(|reason| UrlFailure { attempts: 1, ..UrlFailure::new(&shown, reason) }),
            Candidate::Server(url) => self.download(url, file),
        })?;
        Ok(shown)
    }

    fn copy(&mut self, path: &Path, shown: &str, file: &mut PartialFile) -> Result<(), Reason> {
        // O_NONBLOCK, so that opening a fifo does not wait for ever; only regular files are read.
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let opened = rustix::fs::openat(CWD, path, flags, Mode::empty()).map_err(|errno| Reason::Read(errno.into()))?;
        let source = File::from(opened);
        let metadata = source.metadata().map_err(Reason::Read)?;
        if !metadata.is_file() {
            return Err(Reason::Read(io::Error::other("not a regular file")));
        }
        self.check_size(Some(metadata.len()))?;
        file.restart().map_err(Reason::Write)?;
        self.receive(&Pieces::of(source)?, shown, Some(metadata.len()), file, Reason::Read)?;
        self.check_hash(file)
    }

    /// Asks a server for the first byte; how many it has, if it says.
    pub(super) fn probe(&mut self, url: &Url) -> Result<Option<u64>, UrlFailure> {
        self.persist(url, |transfer, attempts| {
            let response = transfer.follow(attempts, Some(Part::First))?;
            attempts.retry_after = retry_after(&response);
            match response.status().as_u16() {
                200 => Ok(header(&response, &CONTENT_LENGTH).and_then(|length| length.parse().ok())),
                206 => {
                    let total = header(&response, &CONTENT_RANGE).and_then(|range| range.rsplit_once('/'));
                    Ok(total.and_then(|(_, total)| total.parse().ok()))
                }
                // The file is there, and empty.
                416 => Ok(Some(0)),
                status => Err(Reason::Status { status }),
            }
        })
    }

    fn download(&mut self, url: &Url, file: &mut PartialFile) -> Result<(), UrlFailure> {
        self.persist(url, |transfer, attempts| {
            attempts.begun |= attempts.count == 1 && file.len() > 0;
            let begun = attempts.begun;
            match transfer.attempt(attempts, file) {
                // What it was begun with may never have been right, so this was no attempt at this place.
                Err(Reason::NotResumed(_)) if begun && !attempts.begun => transfer.attempt(attempts, file),
                // Some servers refuse to give parts, rather than all of it.
                Err(Reason::Status { status: 400 | 403 | 405 | 501 }) if attempts.begun => {
                    attempts.begun = false;
                    transfer.attempt(attempts, file)
                }
                done => done,
            }
        })
    }

    /// Tries until it succeeds, or fails in a way that does not pass, or has been tried often enough.
    fn persist<T>(
        &mut self,
        url: &Url,
        mut attempt: impl FnMut(&mut Self, &mut Attempts) -> Result<T, Reason>,
    ) -> Result<T, UrlFailure> {
        let deadline = Instant::now() + self.request.limits.total;
        let mut attempts = Attempts::new(url, deadline);
        loop {
            attempts.count += 1;
            let wanted = if (self.client.cancelled)() { Err(Reason::Cancelled) } else { Ok(()) };
            let reason = match wanted.and_then(|()| attempt(self, &mut attempts)) {
                Ok(done) => return Ok(done),
                Err(reason) => reason,
            };
            if !reason.is_passing() || attempts.count >= self.settings.attempts || !self.pause(&mut attempts) {
                let reason =
                    if Instant::now() >= deadline { Reason::Time(self.request.limits.total.as_secs()) } else { reason };
                return Err(UrlFailure {
                    url: url.to_string(),
                    redirected: attempts.redirected,
                    attempts: attempts.count,
                    reason,
                });
            }
        }
    }

    /// Waits before the next attempt; `false` if there is no time for one.
    fn pause(&self, attempts: &mut Attempts) -> bool {
        let doubled = self.settings.back_off.saturating_mul(1 << (attempts.count - 1).min(16));
        let pause = doubled.max(attempts.retry_after.take().unwrap_or_default()).min(MAX_PAUSE);
        let next = Instant::now() + pause;
        let fits = next < attempts.deadline;
        while fits && Instant::now() < next && !(self.client.cancelled)() {
            std::thread::sleep(INTERVAL.min(next.saturating_duration_since(Instant::now())));
        }
        fits
    }

    fn attempt(&mut self, attempts: &mut Attempts, file: &mut PartialFile) -> Result<(), Reason> {
        let resume = attempts.validator.clone().filter(|validator| file.len() > 0 && self.may_resume_by(validator));
        let resumes = resume.is_some() || (attempts.begun && file.len() > 0);
        let part = resumes.then(|| Part::After(file.len(), resume.as_ref().map(Validator::text)));
        let response = self.follow(attempts, part)?;
        let status = response.status().as_u16();
        let answer = prepare(response, attempts, resumes.then_some(resume.as_ref()), file)?;
        self.check_size(answer.total)?;
        let shown = attempts.url.to_string();
        let body = Pieces::of(answer.response.into_body().into_reader())?;
        self.receive(&body, &shown, answer.total, file, Reason::Receive)?;
        match answer.total {
            Some(expected) if file.len() < expected => return Err(Reason::Short { got: file.len(), expected }),
            _ => {}
        }
        let got = file.len();
        let checked = self.check_hash(file);
        if checked.is_err() && status == 206 {
            // The two parts may be of different contents.
            return Err(start_over(attempts, file, status));
        }
        let more = attempts.count < self.settings.attempts;
        if checked.is_err() && answer.ends_by_closing && more && !attempts.doubted {
            // Once: all of it may be wrong as well.
            (attempts.doubted, attempts.validator) = (true, None);
            return Err(Reason::PerhapsShort { got });
        }
        checked
    }

    /// Whether what is put together by a validator is either right or found to be wrong.
    fn may_resume_by(&self, validator: &Validator) -> bool {
        self.request.hash.is_some() || matches!(validator, Validator::Tag(_))
    }

    /// Sends the request and follows redirects.
    fn follow(&self, attempts: &mut Attempts, part: Option<Part<'_>>) -> Result<Response<Body>, Reason> {
        let mut url = attempts.url.clone();
        attempts.redirected = None;
        for _ in 0..=MAX_REDIRECTS {
            let redirected = !url.same_server(&attempts.url);
            let time_left = attempts.deadline.saturating_duration_since(Instant::now());
            if time_left.is_zero() {
                return Err(Reason::Time(self.request.limits.total.as_secs()));
            }
            let call = Call { url: &url, redirected, part, limits: &self.request.limits, time_left };
            let response = self.connections.send(&call, self.client.cancelled)?;
            if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
                return Ok(response);
            }
            let location = header(&response, &LOCATION).ok_or(Reason::NoLocation)?;
            let target = url.join(location).map_err(Reason::Redirect)?;
            attempts.redirected = Some(target.to_string());
            url = self.with_credentials(target, &attempts.url);
        }
        Err(Reason::TooManyRedirects(MAX_REDIRECTS))
    }

    /// A redirect within one server keeps its credentials; another server never sees them.
    fn with_credentials(&self, target: Url, named: &Url) -> Url {
        if target.same_server(named) { target.with_credentials_of(named) } else { target }
    }

    fn receive(
        &mut self,
        source: &Pieces,
        url: &str,
        total: Option<u64>,
        file: &mut PartialFile,
        broken: fn(io::Error) -> Reason,
    ) -> Result<(), Reason> {
        loop {
            (self.client.progress)(Progress { url, bytes: file.len(), total });
            let piece = match source.next(self.client.cancelled)? {
                None => return Ok(()),
                Some(Ok(piece)) => piece,
                Some(Err(error)) => return Err(cut_short(error, file.len(), total).unwrap_or_else(broken)),
            };
            if file.len() + piece.len() as u64 > self.request.limits.bytes {
                return Err(Reason::TooLarge { limit: self.request.limits.bytes, size: total });
            }
            file.write(&piece).map_err(Reason::Write)?;
        }
    }

    fn check_size(&self, size: Option<u64>) -> Result<(), Reason> {
        let limit = self.request.limits.bytes;
        if size.is_some_and(|size| size > limit) { Err(Reason::TooLarge { limit, size }) } else { Ok(()) }
    }

    /// Checks all that is in the file, which is empty after an error.
    fn check_hash(&self, file: &mut PartialFile) -> Result<(), Reason> {
        let Some(expected) = self.request.hash.clone() else { return Ok(()) };
        let got = file.hash();
        if got == expected {
            return Ok(());
        }
        file.restart().map_err(Reason::Write)?;
        Err(Reason::WrongHash { got, expected })
    }
}

/// An end of the connection before the promised end of the content.
fn cut_short(error: io::Error, got: u64, total: Option<u64>) -> Result<Reason, io::Error> {
    match total {
        Some(expected) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(Reason::Short { got, expected }),
        _ => Err(error),
    }
}

/// Looks at status and headers, and makes `file` ready for what follows. `resumed` if a part was asked for, by a validator or without.
fn prepare(
    response: Response<Body>,
    attempts: &mut Attempts,
    resumed: Option<Option<&Validator>>,
    file: &mut PartialFile,
) -> Result<Answer, Reason> {
    let validator = Validator::of(&response);
    match (response.status().as_u16(), resumed) {
        (200, _) => {
            // Also where a range was asked for: the server does not know ranges, or the content has changed.
            file.restart().map_err(Reason::Write)?;
            (attempts.validator, attempts.begun) = (validator, false);
            let total = header(&response, &CONTENT_LENGTH).and_then(|length| length.parse().ok());
            let ends_by_closing = total.is_none() && header(&response, &TRANSFER_ENCODING).is_none();
            Ok(Answer { response, total, ends_by_closing })
        }
        (206, Some(resumed)) => {
            let range = header(&response, &CONTENT_RANGE).and_then(content_range);
            match range {
                Some((start, total))
                    if start == file.len() && resumed.is_none_or(|resumed| resumed.admits(validator.as_ref())) =>
                {
                    Ok(Answer { response, total, ends_by_closing: false })
                }
                _ => Err(start_over(attempts, file, 206)),
            }
        }
        (416, Some(_)) => Err(start_over(attempts, file, 416)),
        (status, _) => {
            attempts.retry_after = retry_after(&response);
            Err(Reason::Status { status })
        }
    }
}

/// What the server has is not what the file has begun with: the next attempt is for all of it.
fn start_over(attempts: &mut Attempts, file: &mut PartialFile, status: u16) -> Reason {
    (attempts.validator, attempts.begun) = (None, false);
    match file.restart() {
        Ok(()) => Reason::NotResumed(status),
        Err(error) => Reason::Write(error),
    }
}

fn retry_after(response: &Response<Body>) -> Option<Duration> {
    header(response, &RETRY_AFTER).and_then(|text| text.parse().ok()).map(Duration::from_secs)
}

fn header<'r>(response: &'r Response<Body>, name: &HeaderName) -> Option<&'r str> {
    response.headers().get(name)?.to_str().ok()
}

/// `bytes START-END/TOTAL`; start, and total if it is known.
fn content_range(text: &str) -> Option<(u64, Option<u64>)> {
    let (range, total) = text.strip_prefix("bytes ")?.split_once('/')?;
    let (start, end) = range.split_once('-')?;
    let (start, end): (u64, u64) = (start.parse().ok()?, end.parse().ok()?);
    let total = if total == "*" { None } else { Some(total.parse().ok()?) };
    // A range that stops before the end would leave the rest out.
    let complete = total.is_none_or(|total: u64| end.checked_add(1) == Some(total));
    (start <= end && complete).then_some((start, total))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_ranges() {
        assert_eq!(content_range("bytes 5-9/10"), Some((5, Some(10))));
        assert_eq!(content_range("bytes 5-9/*"), Some((5, None)));
        for bad in
            ["bytes 5-8/10", "bytes 9-5/10", "bytes */10", "5-9/10", "bytes 5-18446744073709551615/10", "bytes 5-9"]
        {
            assert_eq!(content_range(bad), None, "{bad} was taken");
        }
    }
}
