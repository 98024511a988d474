//! Mirrors: from what a request names to the places that may have it. Pure.

use super::FetchRequest;
use super::apt_sources;
use super::candidate::Candidate;
use super::error::{Reason, UrlFailure};
use super::url::{Url, UrlError};
use std::collections::BTreeMap;
use std::path::PathBuf;
use store::FileHash;

const MIRROR_SCHEME: &str = "mirror://";
const FILE_SCHEME: &str = "file://";

/// Mirrors by configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mirrors {
    /// What `mirror://NAME/path` stands for: base URLs that the path is appended to, in order. `file:///…` is allowed.
    pub named: BTreeMap<String, Vec<String>>,
    /// URLs under which any content is found by its hash: `{algorithm}` and `{hash}` (hexadecimal) are filled in.
    /// `file:///…` is allowed.
    pub by_hash: Vec<String>,
}

/// A URL that names no place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    /// No mirror of this name is configured.
    #[error("no mirror called `{name}` is configured; there {}", known_names(.known))]
    UnknownMirror {
        /// The name.
        name: String,
        /// The names that are.
        known: Vec<String>,
    },
    /// The path after a mirror's name is missing or leads out of the mirror.
    #[error("a mirror's path must be `mirror://NAME/path` without `..`")]
    MirrorPath,
    /// Neither a URL to fetch from nor a mirror.
    #[error(transparent)]
    Url(#[from] UrlError),
}

fn known_names(known: &[String]) -> String {
    if known.is_empty() { "are none".to_owned() } else { format!("are: {}", known.join(", ")) }
}

impl Mirrors {
    /// Base URLs of the Debian archive by the texts of apt's `sources.list` and `*.sources` files, main archive first,
    /// then those of security updates. Without any, those of whatever has a component `main`.
    #[must_use]
    pub fn debian_from_sources<'a>(texts: impl IntoIterator<Item = &'a str>) -> Vec<String> {
        apt_sources::debian_bases(texts)
    }

    /// What `url` stands for.
    ///
    /// # Errors
    /// When it is of another scheme, malformed, or names an unknown mirror.
    pub fn resolve(&self, url: &str) -> Result<Vec<Candidate>, ResolveError> {
        let Some(rest) = url.strip_prefix(MIRROR_SCHEME) else {
            return Ok(vec![Candidate::Server(Url::parse(url)?)]);
        };
        let (name, path) = rest.split_once('/').filter(|(_, path)| is_plain(path)).ok_or(ResolveError::MirrorPath)?;
        let bases = self.named.get(name).ok_or_else(|| ResolveError::UnknownMirror {
            name: name.escape_debug().to_string(),
            known: self.named.keys().cloned().collect(),
        })?;
        let place = |base: &String| from_configuration(&format!("{}/{path}", base.trim_end_matches('/')));
        Ok(bases.iter().map(place).collect::<Result<_, _>>()?)
    }

    /// Where content of this hash may be found.
    ///
    /// # Errors
    /// When a configured URL is malformed.
    pub fn resolve_hash(&self, hash: &FileHash) -> Result<Vec<Candidate>, UrlError> {
        let text = hash.to_string();
        let (algorithm, digits) = text.split_once(':').expect("a hash is written `algorithm:digits`");
        let fill = |template: &String| template.replace("{algorithm}", algorithm).replace("{hash}", digits);
        self.by_hash.iter().map(|template| from_configuration(&fill(template))).collect()
    }

    /// All places for a request, in the order in which they are to be tried, without repetitions: files of this machine,
    /// the request's URLs, servers that know content by hash. What names no place is a failure in its place.
    pub(super) fn candidates(&self, request: &FetchRequest) -> Vec<Result<Candidate, UrlFailure>> {
        let mut all: Vec<_> = request.urls.iter().flat_map(|url| expand(url, self.resolve(url))).collect();
        if let Some(hash) = &request.hash {
            all.extend(expand("mirror by hash", self.resolve_hash(hash).map_err(ResolveError::from)));
        }
        all.sort_by_key(|place| !matches!(place, Ok(Candidate::File(_))));
        let mut seen = Vec::new();
        all.retain(|place| match place {
            Ok(place) if seen.contains(place) => false,
            Ok(place) => {
                seen.push(place.clone());
                true
            }
            Err(_) => true,
        });
        all
    }
}

fn expand(url: &str, places: Result<Vec<Candidate>, ResolveError>) -> Vec<Result<Candidate, UrlFailure>> {
    match places {
        Ok(places) => places.into_iter().map(Ok).collect(),
        Err(error) => vec![Err(UrlFailure::new(&without_credentials(url), Reason::Resolve(error)))],
    }
}

/// A URL that may be malformed, as it may be shown.
fn without_credentials(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").map_or(("", url), |(scheme, rest)| (scheme, rest));
    let rest = rest.rsplit_once('@').map_or(rest, |(_, rest)| rest);
    let separator = if scheme.is_empty() { "" } else { "://" };
    format!("{}{separator}{}", scheme.escape_debug(), rest.escape_debug())
}

fn from_configuration(url: &str) -> Result<Candidate, UrlError> {
    match url.strip_prefix(FILE_SCHEME) {
        Some(path) if path.starts_with('/') => Ok(Candidate::File(PathBuf::from(path))),
        Some(_) => Err(UrlError::Malformed("a file URL must be file:///path")),
        None => Ok(Candidate::Server(Url::parse(url)?)),
    }
}

/// Whether a path stays below what it is appended to.
fn is_plain(path: &str) -> bool {
    !path.is_empty() && path.split('/').all(|segment| !matches!(segment, "" | "." | "..")) && !path.contains('\0')
}

#[cfg(test)]
mod tests {
    use super::*;
    use store::HashAlgorithm;

    fn mirrors() -> Mirrors {
        let bases = vec!["http://one.example/debian/".to_owned(), "file:///srv/mirror".to_owned()];
        Mirrors {
            named: BTreeMap::from([("debian".to_owned(), bases)]),
            by_hash: vec!["file:///srv/{algorithm}/{hash}".to_owned(), "https://cache.example/{hash}".to_owned()],
        }
    }

    fn shown(places: &[Candidate]) -> Vec<String> {
        places.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn mirrors_are_resolved_in_order() {
        let places = mirrors().resolve("mirror://debian/pool/x.deb").unwrap();
        assert_eq!(shown(&places), ["http://one.example/debian/pool/x.deb", "file:///srv/mirror/pool/x.deb"]);
    }

    #[test]
    fn requests_reach_files_through_configuration_only() {
        for url in [
            "file:///etc/passwd",
            "mirror://debian/../etc/passwd",
            "mirror://debian//etc",
            "mirror://debian",
            "mirror://x/y",
        ] {
            assert!(mirrors().resolve(url).is_err(), "{url} was taken");
        }
        let error = mirrors().resolve("mirror://debain/x").expect_err("misspelt").to_string();
        assert_eq!(error, "no mirror called `debain` is configured; there are: debian");
    }

    #[test]
    fn places_are_tried_files_first_and_once() {
        let hash = FileHash::of(HashAlgorithm::Sha256, b"");
        let urls =
            ["mirror://debian/a", "http://one.example/debian/a", "http://u:secret@h h/", "https://last.example/a"];
        let request = FetchRequest {
            urls: urls.map(str::to_owned).to_vec(),
            hash: Some(hash.clone()),
            limits: super::super::FetchLimits::default(),
            keeping: None,
        };
        let tried: Vec<String> = mirrors()
            .candidates(&request)
            .into_iter()
            .map(|place| place.map_or_else(|failure| format!("failure: {}", failure.url), |place| place.to_string()))
            .collect();
        let digits = hash.to_string().split_off(7);
        let expected = [
            "file:///srv/mirror/a".to_owned(),
            format!("file:///srv/sha256/{digits}"),
            "http://one.example/debian/a".to_owned(),
            "failure: http://h h/".to_owned(),
            "https://last.example/a".to_owned(),
            format!("https://cache.example/{digits}"),
        ];
        assert_eq!(tried, expected);
    }
}
