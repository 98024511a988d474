//! URLs of the schemes http and https, as far as fetching needs them (RFC 3986). Pure.

use std::fmt;

/// A URL to fetch from. Its [`Display`](fmt::Display) leaves out credentials and is fit for messages and requests.
#[derive(Clone, PartialEq, Eq)]
pub struct Url {
    secure: bool,
    /// `user:password`, percent-encoded.
    credentials: Option<String>,
    /// `host` or `host:port`, lower-case.
    authority: String,
    /// Starts with a slash; with the query, without the fragment.
    path: String,
}

/// A text that is no URL to fetch from. It never holds credentials.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// The scheme is neither http nor https.
    #[error("the scheme `{0}` is not fetched: expected http or https")]
    Scheme(String),
    /// Blanks, control characters or characters outside ASCII, a missing host, or a malformed port.
    #[error("malformed URL: {0}")]
    Malformed(&'static str),
}

impl Url {
    /// Reads an absolute URL.
    ///
    /// # Errors
    /// When the scheme is another one or the text is malformed.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        if !text.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'<' | b'>' | b'\\')) {
            return Err(UrlError::Malformed("only printable ASCII without quotes and backslashes is allowed"));
        }
        let (scheme, rest) = text.split_once("://").ok_or_else(|| UrlError::Scheme(scheme_of(text)))?;
        let secure = match scheme.to_ascii_lowercase().as_str() {
            "http" => false,
            "https" => true,
            _ => return Err(UrlError::Scheme(scheme_of(text))),
        };
        let rest = rest.split('#').next().unwrap_or_default();
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let (credentials, authority) = match authority.rsplit_once('@') {
            Some((credentials, authority)) => (Some(credentials.to_owned()), authority),
            None => (None, authority),
        };
        check_authority(authority)?;
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        Ok(Self { secure, credentials, authority: authority.to_ascii_lowercase(), path })
    }

    /// The URL that a `Location` header in an answer from here means. Credentials in it are dropped.
    ///
    /// # Errors
    /// When it is malformed or of another scheme.
    pub fn join(&self, location: &str) -> Result<Self, UrlError> {
        let scheme = if self.secure { "https" } else { "http" };
        let absolute = if has_scheme(location) {
            location.to_owned()
        } else if location.starts_with("//") {
            format!("{scheme}:{location}")
        } else {
            format!("{scheme}://{}{}", self.authority, self.resolve_path(location))
        };
        Ok(Self { credentials: None, ..Self::parse(&absolute)? })
    }

    /// The same URL without credentials.
    #[must_use]
    pub fn without_credentials(&self) -> Self {
        Self { credentials: None, ..self.clone() }
    }

    /// The same URL with the credentials of `other`.
    pub(super) fn with_credentials_of(self, other: &Self) -> Self {
        Self { credentials: other.credentials.clone(), ..self }
    }

    /// `user:password` as the text has it, percent-encoded.
    pub(super) fn credentials(&self) -> Option<&str> {
        self.credentials.as_deref()
    }

    /// The host, without brackets and port.
    pub(super) fn host(&self) -> &str {
        match self.authority.strip_prefix('[') {
            Some(rest) => rest.split(']').next().unwrap_or_default(),
            None => self.authority.split(':').next().unwrap_or_default(),
        }
    }

    /// Whether both lead to the same port of the same host by the same protocol.
    pub(super) fn same_server(&self, other: &Self) -> bool {
        self.secure == other.secure && self.with_port() == other.with_port()
    }

    fn with_port(&self) -> String {
        let has_port = self.authority.rsplit_once(':').is_some_and(|(_, port)| !port.contains(']'));
        let port = if self.secure { 443 } else { 80 };
        if has_port { self.authority.clone() } else { format!("{}:{port}", self.authority) }
    }

    /// Resolves a relative reference (RFC 3986, section 5.2); dot segments are removed by servers as much as by us.
    fn resolve_path(&self, location: &str) -> String {
        let base = self.path.split('?').next().unwrap_or_default();
        match location.chars().next() {
            None => self.path.clone(),
            Some('/') => location.to_owned(),
            Some('?') => format!("{base}{location}"),
            Some('#') => self.path.clone(),
            Some(_) => {
                let directory = base.rsplit_once('/').map_or("", |(directory, _)| directory);
                remove_dots(&format!("{directory}/{location}"))
            }
        }
    }
}

fn remove_dots(path: &str) -> String {
    let (path, query) = path.find('?').map_or((path, ""), |at| path.split_at(at));
    let mut kept: Vec<&str> = Vec::new();
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let last = segments.peek().is_none();
        match segment {
            "." | ".." => {
                if segment == ".." {
                    kept.pop();
                }
                if last {
                    kept.push("");
                }
            }
            segment => kept.push(segment),
        }
    }
    format!("/{}{query}", kept.join("/"))
}

fn has_scheme(location: &str) -> bool {
    let end = location.find([':', '/', '?', '#']).unwrap_or(location.len());
    location[end..].starts_with(':')
}

fn scheme_of(text: &str) -> String {
    text.split([':', '/']).next().unwrap_or_default().chars().take(20).collect()
}

fn check_authority(authority: &str) -> Result<(), UrlError> {
    let (host, port) = match authority.rfind(']') {
        Some(end) => authority.split_at(end + 1),
        None => authority.find(':').map_or((authority, ""), |at| authority.split_at(at)),
    };
    let inner = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let host_fits = match inner {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~%".contains(&byte)),
    };
    if !host_fits {
        return Err(UrlError::Malformed("the host is missing or malformed"));
    }
    let port_fits = port.is_empty() || port.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok());
    if port_fits { Ok(()) } else { Err(UrlError::Malformed("the port is malformed")) }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http{}://{}{}", if self.secure { "s" } else { "" }, self.authority, self.path)
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Url({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn credentials_are_never_shown() {
        let url = url("https://user:secret@Example.ORG/a?b#c");
        assert_eq!(format!("{url} {url:?}"), "https://example.org/a?b Url(https://example.org/a?b)");
        assert_eq!(url.credentials(), Some("user:secret"));
        assert!(url.without_credentials().credentials().is_none());
        let error = Url::parse("https://user:secret@exa mple/").expect_err("a blank");
        assert!(!format!("{error} {error:?}").contains("secret"));
    }

    #[test]
    fn hosts_and_servers() {
        assert_eq!(url("http://h:8080/").host(), "h");
        assert_eq!(url("http://[::1]:80/").host(), "::1");
        assert_eq!(url("http://h").to_string(), "http://h/");
        assert_eq!(url("http://h?q").to_string(), "http://h/?q");
        assert!(url("http://h/").same_server(&url("http://H:80/x")));
        assert!(!url("http://h/").same_server(&url("https://h/")));
        assert!(!url("http://h/").same_server(&url("http://h:81/")));
    }

    #[test]
    fn bad_urls_are_refused() {
        let bad = ["", "x", "ftp://h/", "file:///etc/passwd", "http://", "http:///x", "http://h:x/", "http://h:70000/"];
        for text in bad.into_iter().chain([
            "http://h/\r\nX: y",
            "http://h/ü",
            "http://[::1/",
            "http://a@b:c@/",
            "http://h\\@g/",
        ]) {
            assert!(Url::parse(text).is_err(), "{text} was taken");
        }
    }

    #[test]
    fn references_are_resolved() {
        let base = url("http://u:p@h/a/b/c?d");
        for (location, expected) in [
            ("https://other/x", "https://other/x"),
            ("//other/x", "http://other/x"),
            ("/x", "http://h/x"),
            ("x", "http://h/a/b/x"),
            ("../x?y", "http://h/a/x?y"),
            ("../../../x", "http://h/x"),
            ("./", "http://h/a/b/"),
            ("?q", "http://h/a/b/c?q"),
            ("http://v:w@h/x", "http://h/x"),
        ] {
            let joined = base.join(location).unwrap();
            assert_eq!(joined.to_string(), expected, "{location}");
            assert_eq!(joined.credentials(), None);
        }
        for location in ["file:///etc/passwd", "javascript:x", "ftp://h/", "gopher:x"] {
            assert!(matches!(base.join(location), Err(UrlError::Scheme(_))), "{location} was taken");
        }
    }
}
