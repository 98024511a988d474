//! Sending one request: HTTP through ureq, with TLS by rustls and ring.
//!
//! Requests that a redirect leads to another server go through an agent of their own, whose resolver refuses addresses
//! that are not public. The check is in the resolver because the addresses it returns are the ones connected to: a name
//! cannot be public when looked at and private when used.

use super::error::{FetchSettingsError, Reason};
use super::url::Url;
use super::{Authorities, FetchLimits, FetchSettings, ProxySettings, address, patience};
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use ureq::config::Config;
use ureq::http::{Response, Uri};
use ureq::tls::{PemItem, RootCerts, TlsConfig};
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};
use ureq::{Agent, Body, Proxy};

const USER_AGENT: &str = concat!("larder/", env!("CARGO_PKG_VERSION"));
const MAX_HEADER: usize = 64 << 10;

/// What may be connected to, and how.
#[derive(Debug)]
pub(super) struct Connections {
    /// For servers that the request or the configuration names.
    named: Agent,
    /// For servers that a redirect names.
    redirected: Agent,
    has_proxy: bool,
    private_redirects: bool,
    /// Why the machine's own certificate authorities are not believed.
    passed_over: Option<FetchSettingsError>,
}

/// One request.
pub(super) struct Call<'a> {
    pub(super) url: &'a Url,
    /// Whether a redirect led here, from another server.
    pub(super) redirected: bool,
    /// Which part is wanted, if not all of it.
    pub(super) part: Option<Part<'a>>,
    pub(super) limits: &'a FetchLimits,
    /// Until when the answer must be here completely.
    pub(super) time_left: Duration,
}

/// A part of the content.
#[derive(Debug, Clone, Copy)]
pub(super) enum Part<'a> {
    /// What comes after so many bytes, if the content is still the one of this entity tag or date; whatever it is if there is none.
    After(u64, Option<&'a str>),
    /// The first byte: whether there is any.
    First,
}

impl Connections {
    /// Prepares both agents.
    pub(super) fn new(settings: &FetchSettings) -> Result<Self, FetchSettingsError> {
        let proxy = settings.proxy.as_ref().map(proxy).transpose()?;
        let (roots, passed_over) = roots(&settings.authorities)?;
        let config = config(proxy.clone(), roots);
        let proxy_host = proxy.map(|proxy| proxy.host().to_owned());
        let has_proxy = proxy_host.is_some();
        let guard = PublicResolver { inner: DefaultResolver::default(), proxy_host };
        Ok(Self {
            named: Agent::with_parts(config.clone(), DefaultConnector::default(), DefaultResolver::default()),
            redirected: Agent::with_parts(config, DefaultConnector::default(), guard),
            has_proxy,
            private_redirects: settings.private_redirects,
            passed_over,
        })
    }

    /// Why the machine's own certificate authorities are not believed.
    pub(super) fn passed_over(&self) -> Option<&FetchSettingsError> {
        self.passed_over.as_ref()
    }

    /// Sends one GET request and waits for the answer's head unless it is `cancelled`; redirects are not followed here, and every status is an
    /// answer.
    pub(super) fn send(&self, call: &Call<'_>, cancelled: &dyn Fn() -> bool) -> Result<Response<Body>, Reason> {
        let guarded = call.redirected && !self.private_redirects;
        if guarded && self.has_proxy {
            check_literal(call.url)?;
        }
        let agent = if guarded { &self.redirected } else { &self.named };
        let mut request = agent.get(call.url.to_string()).header("accept-encoding", "identity");
        if let Some(credentials) = call.url.credentials() {
            request = request.header("authorization", format!("Basic {}", base64(&percent_decoded(credentials))));
        }
        match call.part {
            Some(Part::After(start, validator)) => {
                request = request.header("range", format!("bytes={start}-"));
                if let Some(validator) = validator {
                    request = request.header("if-range", validator);
                }
            }
            Some(Part::First) => request = request.header("range", "bytes=0-0"),
            None => {}
        }
        let config = request
            .config()
            .timeout_connect(Some(call.limits.connect.min(call.time_left)))
            .timeout_per_read(Some(call.limits.idle))
            .timeout_per_write(Some(call.limits.idle))
            .timeout_global(Some(call.time_left));
        let request = config.build();
        patience::call(cancelled, move || request.call())?.map_err(reason)
    }
}

fn config(proxy: Option<Proxy>, roots: RootCerts) -> Config {
    Config::builder()
        .proxy(proxy)
        .tls_config(TlsConfig::builder().root_certs(roots).build())
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .user_agent(USER_AGENT)
        .max_response_header_size(MAX_HEADER)
        .build()
}

fn proxy(settings: &ProxySettings) -> Result<Proxy, FetchSettingsError> {
    // ureq takes URLs without a host.
    Url::parse(&settings.url).map_err(|_| FetchSettingsError::Proxy)?;
    let malformed = |_| FetchSettingsError::Proxy;
    let plain = Proxy::new(&settings.url).map_err(malformed)?;
    if settings.except.is_empty() {
        return Ok(plain);
    }
    let mut builder = Proxy::builder(plain.protocol()).host(plain.host()).port(plain.port());
    if let Some(user) = plain.username() {
        builder = builder.username(user);
    }
    if let Some(password) = plain.password() {
        builder = builder.password(password);
    }
    settings.except.iter().fold(builder, |builder, host| builder.no_proxy(host)).build().map_err(malformed)
}

/// What is believed, and why that is not what the machine has.
fn roots(authorities: &Authorities) -> Result<(RootCerts, Option<FetchSettingsError>), FetchSettingsError> {
    match authorities {
        Authorities::Bundled => Ok((RootCerts::WebPki, None)),
        Authorities::File(path) => read_roots(path).map(|roots| (roots, None)),
        Authorities::Machine(path) => Ok(match read_roots(path) {
            Ok(roots) => (roots, None),
            Err(error) => (RootCerts::WebPki, Some(error)),
        }),
    }
}

fn read_roots(path: &Path) -> Result<RootCerts, FetchSettingsError> {
    let pem =
        std::fs::read(path).map_err(|source| FetchSettingsError::AuthoritiesFile { path: path.to_owned(), source })?;
    let malformed = || FetchSettingsError::Authorities { path: path.to_owned() };
    let mut certificates = Vec::new();
    for item in ureq::tls::parse_pem(&pem) {
        if let PemItem::Certificate(certificate) = item.map_err(|_| malformed())? {
            certificates.push(certificate);
        }
    }
    if certificates.is_empty() { Err(malformed()) } else { Ok(RootCerts::Specific(Arc::new(certificates))) }
}

/// Behind a proxy, names are resolved by the proxy; what can be told without it is checked here.
fn check_literal(url: &Url) -> Result<(), Reason> {
    let host = url.host();
    match address::of_literal(host) {
        Some(address) if !address::is_public(address) => Err(Reason::PrivateAddress { host: host.to_owned(), address }),
        _ => Ok(()),
    }
}

/// Resolves names, but only to public addresses. The proxy is exempt: the configuration names it.
#[derive(Debug)]
struct PublicResolver {
    inner: DefaultResolver,
    proxy_host: Option<String>,
}

/// Carries [`Reason::PrivateAddress`] through ureq.
#[derive(Debug, thiserror::Error)]
#[error("{host} is {address}")]
struct PrivateAddress {
    host: String,
    address: IpAddr,
}

impl Resolver for PublicResolver {
    fn resolve(&self, uri: &Uri, config: &Config, timeout: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let addresses = self.inner.resolve(uri, config, timeout)?;
        if self.proxy_host.is_some() && uri.host() == self.proxy_host.as_deref() {
            return Ok(addresses);
        }
        match addresses.iter().map(|address| address.ip()).find(|address| !address::is_public(*address)) {
            None => Ok(addresses),
            Some(address) => {
                let host = uri.host().unwrap_or_default().to_owned();
                Err(ureq::Error::Other(Box::new(PrivateAddress { host, address })))
            }
        }
    }
}

fn reason(error: ureq::Error) -> Reason {
    match error {
        ureq::Error::Other(inner) => match inner.downcast::<PrivateAddress>() {
            Ok(refused) => Reason::PrivateAddress { host: refused.host, address: refused.address },
            Err(inner) => Reason::Transport(Box::new(ureq::Error::Other(inner))),
        },
        error => Reason::Transport(Box::new(error)),
    }
}

fn percent_decoded(text: &str) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let digits = tail.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.filter(|_| first == b'%').and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                decoded.push(byte);
                rest = &tail[2..];
            }
            None => {
                decoded.push(first);
                rest = tail;
            }
        }
    }
    decoded
}

/// Standard base64 with padding (RFC 4648, section 4).
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or(0));
        let group = byte(0) << 16 | byte(1) << 8 | byte(2);
        for digit in 0..4 {
            let index = group >> (18 - 6 * digit) & 63;
            text.push(if digit <= chunk.len() { char::from(DIGITS[index as usize]) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_of_every_length() {
        // RFC 4648, section 10.
        for (plain, encoded) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")] {
            assert_eq!(base64(plain.as_bytes()), encoded);
        }
    }

    #[test]
    fn credentials_are_decoded_once() {
        assert_eq!(percent_decoded("a%40b:%2525%"), b"a@b:%25%");
    }

    #[test]
    fn unusable_settings_are_refused_without_showing_passwords() {
        let proxy = ProxySettings { url: "http://user:secret@:bad".to_owned(), except: Vec::new() };
        let settings = FetchSettings { proxy: Some(proxy), ..FetchSettings::default() };
        assert!(!format!("{settings:?}").contains("secret"));
        let error = Connections::new(&settings).expect_err("malformed");
        assert!(!format!("{error} {error:?}").contains("secret"));
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("authorities.pem");
        let settings = FetchSettings { authorities: Authorities::File(path.clone()), ..FetchSettings::default() };
        assert!(matches!(Connections::new(&settings), Err(FetchSettingsError::AuthoritiesFile { .. })));
        std::fs::write(&path, "nothing").unwrap();
        assert!(matches!(Connections::new(&settings), Err(FetchSettingsError::Authorities { .. })));
    }

    #[test]
    fn a_damaged_bundle_of_the_machine_is_passed_over_by_name() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("authorities.pem");
        let passed_over = || {
            let authorities = Authorities::Machine(path.clone());
            let connections = Connections::new(&FetchSettings { authorities, ..FetchSettings::default() }).unwrap();
            connections.passed_over().map(ToString::to_string)
        };
        let name = path.display().to_string();
        assert!(passed_over().unwrap().contains(&name), "it is not there");
        let certificate = |base64| format!("-----BEGIN CERTIFICATE-----\n{base64}\n-----END CERTIFICATE-----\n");
        std::fs::write(&path, certificate("AAAA") + &certificate("?")).unwrap();
        assert!(passed_over().unwrap().contains(&name), "one of two is damaged");
        std::fs::write(&path, certificate("AAAA")).unwrap();
        assert_eq!(passed_over(), None);
    }
}
