//! How to reach a Prometheus, and how much of it to take.
//!
//! Everything here can be printed: what is secret shows as `…`, and a URL shows
//! without its query. A URL with a user or password in it is refused, because a
//! URL ends up in error messages and listings; `basic_auth` is where they belong.

use reqwest::Url;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// The shortest and the longest time for one query: below a network round trip
/// nothing answers, and beyond Prometheus' own limit (`--query.timeout`, 2 min,
/// with the queue before it) nothing comes.
const TIMEOUTS: std::ops::RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_mins(5);
/// Prometheus runs 20 queries at a time for everybody; more than it runs only wait there.
const MAX_CONCURRENT: usize = 20;
/// Past ten tries within one look there is no news.
const MAX_RETRIES: u32 = 10;
/// Bodies are held in memory, `max_concurrent` of them at once.
const MAX_RESPONSE_BYTES: usize = 1 << 30;
/// At 16 bytes a sample 1.6 GB, twice that of native buckets; beyond lies a mistake.
const MAX_SAMPLES: usize = 100_000_000;
/// Each series is a map of labels, about 1 kB.
const MAX_SERIES: usize = 1_000_000;
/// Headers that the HTTP client writes itself, or whose change breaks the framing.
const RESERVED_HEADERS: &[&str] =
    &["accept-encoding", "connection", "content-length", "content-type", "host", "te", "transfer-encoding", "upgrade"];

/// One Prometheus, or what speaks its API: Thanos, Mimir, VictoriaMetrics.
///
/// Proxies of the environment are not used: a source is reached at its own address.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Where the API is; `/api/v1/query` is put behind the path.
    pub url: Endpoint,
    /// For one query, from the first byte sent to the last received, as `10s`.
    #[serde(default = "defaults::timeout", with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub timeout: Duration,
    /// A user and a password.
    #[serde(default)]
    pub basic_auth: Option<BasicAuth>,
    /// A file that holds a bearer token; read for each request, since tokens rotate.
    #[serde(default)]
    pub bearer_token_file: Option<PathBuf>,
    /// Sent along with each request: `X-Scope-OrgID` and the like.
    #[serde(default)]
    pub headers: Headers,
    /// A PEM file of certificate authorities that replaces the system's; read once.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// Bytes of one answer, after decompression.
    #[serde(default = "defaults::max_response_bytes")]
    pub max_response_bytes: usize,
    /// Series of one answer.
    #[serde(default = "defaults::max_series")]
    pub max_series: usize,
    /// Samples of one answer, over all its series; each bucket of a native histogram is one.
    #[serde(default = "defaults::max_samples")]
    pub max_samples: usize,
    /// Queries at a time.
    #[serde(default = "defaults::max_concurrent")]
    pub max_concurrent: usize,
    /// Further tries of a query that failed for a passing reason.
    #[serde(default = "defaults::retries")]
    pub retries: u32,
}

mod defaults {
    use std::time::Duration;

    /// A third of a usual `settle`, so that a query and its retries end before the next look.
    pub(super) fn timeout() -> Duration {
        Duration::from_secs(10)
    }
    /// 2.5 million samples as JSON: ten times the largest answer a sane rule needs.
    pub(super) fn max_response_bytes() -> usize {
        64 << 20
    }
    pub(super) fn max_series() -> usize {
        10_000
    }
    pub(super) fn max_samples() -> usize {
        5_000_000
    }
    /// Leaves most of Prometheus' 20 to dashboards and alerts.
    pub(super) fn max_concurrent() -> usize {
        4
    }
    pub(super) fn retries() -> u32 {
        2
    }
}

impl Settings {
    /// The defaults, for the Prometheus at `url`.
    pub fn new(url: Endpoint) -> Self {
        Self {
            url,
            timeout: defaults::timeout(),
            basic_auth: None,
            bearer_token_file: None,
            headers: Headers::default(),
            ca_file: None,
            max_response_bytes: defaults::max_response_bytes(),
            max_series: defaults::max_series(),
            max_samples: defaults::max_samples(),
            max_concurrent: defaults::max_concurrent(),
            retries: defaults::retries(),
        }
    }

    /// Everything that is wrong with these settings in themselves; files are not read.
    pub fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        if !TIMEOUTS.contains(&self.timeout) {
            faults.push(format!("`timeout` must be from {:?} to {:?}", TIMEOUTS.start(), TIMEOUTS.end()));
        }
        let mut within = |name: &str, value: usize, most: usize| {
            if value == 0 || value > most {
                faults.push(format!("`{name}` must be from 1 to {most}"));
            }
        };
        within("max_response_bytes", self.max_response_bytes, MAX_RESPONSE_BYTES);
        within("max_series", self.max_series, MAX_SERIES);
        within("max_samples", self.max_samples, MAX_SAMPLES);
        within("max_concurrent", self.max_concurrent, MAX_CONCURRENT);
        if self.retries > MAX_RETRIES {
            faults.push(format!("`retries` must be at most {MAX_RETRIES}"));
        }
        if let Some(basic) = &self.basic_auth {
            faults.extend(basic.faults());
            if self.bearer_token_file.is_some() {
                faults.push("`basic_auth` and `bearer_token_file` exclude each other".to_owned());
            }
        }
        let authorized = self.basic_auth.is_some() || self.bearer_token_file.is_some();
        faults.extend(self.headers.faults(authorized));
        faults
    }
}

/// An `http` or `https` URL without user, password and fragment.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Endpoint(Url);

impl Endpoint {
    /// The URL that `text` names, or why it cannot be one of a source. The reason
    /// never repeats `text`: it may hold a password.
    pub fn parse(text: &str) -> Result<Self, EndpointError> {
        let url = Url::parse(text.trim()).map_err(EndpointError::Unreadable)?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(EndpointError::Scheme);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(EndpointError::UserInfo);
        }
        if url.fragment().is_some() {
            return Err(EndpointError::Fragment);
        }
        Ok(Self(url))
    }

    /// The address of `path`, a relative one, below this URL. A query stays:
    /// VictoriaMetrics takes `extra_label` from there.
    pub(in crate::sources) fn below(&self, path: &str) -> Url {
        let mut url = self.0.clone();
        url.set_path(&format!("{}/{path}", self.0.path().trim_end_matches('/')));
        url
    }

    /// The address itself.
    pub(in crate::sources) fn url(&self) -> &Url {
        &self.0
    }

    /// Whether it names more than a server.
    pub(in crate::sources) fn has_path(&self) -> bool {
        self.0.path() != "/"
    }

    /// Host and port, the scheme's own where none is written.
    pub(in crate::sources) fn authority(&self) -> String {
        let port = self.0.port_or_known_default().unwrap_or_default();
        format!("{}:{port}", self.0.host_str().unwrap_or_default())
    }

    /// Whether the connection is encrypted.
    pub(in crate::sources) fn is_https(&self) -> bool {
        self.0.scheme() == "https"
    }
}

impl fmt::Display for Endpoint {
    /// Scheme, host, port and path: what tells sources apart, and nothing secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = self.0.clone();
        shown.set_query(None);
        f.write_str(shown.as_str().trim_end_matches('/'))
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl TryFrom<String> for Endpoint {
    type Error = EndpointError;
    fn try_from(text: String) -> Result<Self, EndpointError> {
        Self::parse(&text)
    }
}

impl std::str::FromStr for Endpoint {
    type Err = EndpointError;
    fn from_str(text: &str) -> Result<Self, EndpointError> {
        Self::parse(text)
    }
}

/// Why a text is not the URL of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// Not a URL at all.
    #[error("not a URL ({0}); write it as http://host:port")]
    Unreadable(<Url as std::str::FromStr>::Err),
    /// Neither `http` nor `https`.
    #[error("the URL of a source begins with http:// or https://")]
    Scheme,
    /// A user or a password before the host.
    #[error("a URL with a user or a password in it would be logged; use `basic_auth`")]
    UserInfo,
    /// Something behind `#`.
    #[error("the URL of a source has no `#` part")]
    Fragment,
}

/// A user and a password, the password here or in a file.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct BasicAuth {
    /// The user; no colon.
    pub username: String,
    /// The password itself; a file is better.
    #[serde(default)]
    pub password: Option<Secret>,
    /// A file that holds the password; read for each request.
    #[serde(default)]
    pub password_file: Option<PathBuf>,
}

impl BasicAuth {
    fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        if self.username.contains(':') {
            faults.push("`basic_auth.username` must not contain a colon".to_owned());
        }
        if self.password.is_some() == self.password_file.is_some() {
            faults.push("`basic_auth` needs either `password` or `password_file`".to_owned());
        }
        faults
    }
}

/// A text that is never shown.
#[derive(Clone, Deserialize, PartialEq, Eq)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// `text`, from now on hidden.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, for the request alone.
    pub(super) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// Extra request headers by name. Their values may be keys, so none is shown.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(transparent)]
pub struct Headers(BTreeMap<String, Secret>);

impl Headers {
    /// As the HTTP client wants them; what cannot be a header was among the faults.
    pub(super) fn to_map(&self) -> reqwest::header::HeaderMap {
        self.0.iter().filter_map(|(name, value)| header(name, value.reveal()).ok()).collect()
    }

    fn faults(&self, authorized: bool) -> Vec<String> {
        let fault = |(name, value): (&String, &Secret)| {
            let lower = name.to_ascii_lowercase();
            if RESERVED_HEADERS.contains(&lower.as_str()) {
                return Some(format!("header `{name}` is written by wavegate itself"));
            }
            if lower == "authorization" && authorized {
                return Some(format!("header `{name}` and `basic_auth` or `bearer_token_file` exclude each other"));
            }
            header(name, value.reveal()).err()
        };
        self.0.iter().filter_map(fault).collect()
    }
}

impl FromIterator<(String, String)> for Headers {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(pairs: I) -> Self {
        Self(pairs.into_iter().map(|(name, value)| (name, Secret(value))).collect())
    }
}

fn header(name: &str, value: &str) -> Result<(reqwest::header::HeaderName, reqwest::header::HeaderValue), String> {
    let Ok(name) = name.parse::<reqwest::header::HeaderName>() else {
        return Err(format!("`{}` cannot be the name of a header", name.escape_default()));
    };
    let Ok(mut value) = value.parse::<reqwest::header::HeaderValue>() else {
        return Err(format!("the value of header `{name}` has characters that a header cannot have"));
    };
    value.set_sensitive(true);
    Ok((name, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(json: &str) -> Result<Settings, serde_json::Error> {
        serde_json::from_str(json)
    }

    #[track_caller]
    fn check_faults(json: &str, expect: &[&str]) {
        let faults = settings(json).unwrap().faults();
        assert_eq!(faults.len(), expect.len(), "{faults:?}");
        for (fault, expect) in faults.iter().zip(expect) {
            assert!(fault.contains(expect), "{fault:?} does not say {expect:?}");
        }
    }

    #[test]
    fn a_url_is_enough() {
        let read = settings(r#"{"url": "http://prometheus:9090"}"#).unwrap();
        assert_eq!(read, Settings::new(Endpoint::parse("http://prometheus:9090").unwrap()));
        assert_eq!(read.timeout, Duration::from_secs(10));
        assert_eq!(read.faults(), Vec::<String>::new());
    }

    #[test]
    fn unknown_keys_are_refused() {
        assert!(settings(r#"{"url": "http://p", "insecure_skip_verify": true}"#).is_err());
        assert!(settings(r#"{"url": "http://p", "basic_auth": {"username": "u", "pass": "p"}}"#).is_err());
    }

    #[test]
    fn all_faults_are_told_at_once() {
        check_faults(
            r#"{"url": "http://p", "timeout": "1ms", "max_series": 0, "max_concurrent": 21, "retries": 11}"#,
            &["`timeout`", "`max_series`", "`max_concurrent`", "`retries`"],
        );
        check_faults(
            r#"{"url": "http://p", "basic_auth": {"username": "a:b"}, "bearer_token_file": "/t"}"#,
            &["colon", "`password_file`", "exclude"],
        );
        check_faults(
            r#"{"url": "http://p", "bearer_token_file": "/t",
                "headers": {"Host": "x", "authorization": "y", "a b": "z", "X-Ok": "line\nbreak", "X-Fine": "1|2"}}"#,
            &["`Host`", "`x-ok`", "`a b`", "exclude"],
        );
    }

    #[test]
    fn the_path_of_the_url_is_kept() {
        let below = |text: &str| Endpoint::parse(text).unwrap().below("api/v1/query").to_string();
        assert_eq!(below("http://p:9090"), "http://p:9090/api/v1/query");
        assert_eq!(below("http://p/select/0/prometheus/"), "http://p/select/0/prometheus/api/v1/query");
        assert_eq!(below("http://p/?extra_label=a%3Db"), "http://p/api/v1/query?extra_label=a%3Db");
    }

    #[test]
    fn urls_that_cannot_be_a_source_are_refused() {
        let refused = |text: &str| Endpoint::parse(text).unwrap_err();
        assert_eq!(refused("ftp://p"), EndpointError::Scheme);
        assert_eq!(refused("file:///etc/passwd"), EndpointError::Scheme);
        assert_eq!(refused("http://u:hunter2@p"), EndpointError::UserInfo);
        assert_eq!(refused("http://p/#x"), EndpointError::Fragment);
        assert!(matches!(refused("prometheus"), EndpointError::Unreadable(_)));
    }

    #[test]
    fn nothing_secret_is_shown() {
        let all = settings(
            r#"{"url": "http://p/?token=hunter2", "basic_auth": {"username": "u", "password": "hunter2"},
                "headers": {"X-Key": "hunter2"}}"#,
        )
        .unwrap();
        assert!(!format!("{all:?} {:#?} {}", all, all.url).contains("hunter2"));
        let refused = settings(r#"{"url": "http://u:hunter2@p"}"#).unwrap_err();
        assert!(!refused.to_string().contains("hunter2"), "{refused}");
    }
}
