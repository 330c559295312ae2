//! Who is told, what and where: the section `endpoints` of the configuration.

use crate::delivery::guard;
use crate::delivery::sign;
use crate::wave::EventKind;
use crate::wire;
use serde::Deserialize;
use serde::Deserializer;
use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;
use url::Url;
use url::form_urlencoded;

/// For one try. Standard Webhooks has 15 s to 30 s; a longer one keeps a try's
/// place from others for nothing.
const TIMEOUTS: std::ops::RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_mins(1);

/// Shorter parts of a URL are words like `hook`, not secrets.
const MIN_HIDDEN_BYTES: usize = 6;

/// One endpoint.
///
/// Proxies of the environment are not used: they would connect where we may not.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EndpointSettings {
    /// Where messages are posted to. `https`, or `http` where `allow_private` is set.
    pub url: Target,
    /// A file that holds the secret, `whsec_…`; read again for each batch of tries.
    pub secret_file: PathBuf,
    /// While secrets rotate: a file that holds the old one. Both sign.
    #[serde(default)]
    pub previous_secret_file: Option<PathBuf>,
    /// What it is told; everything, if nothing is said.
    #[serde(default = "defaults::events", deserialize_with = "read_events")]
    pub events: BTreeSet<EventKind>,
    /// How it is written.
    #[serde(default)]
    pub format: Format,
    /// Whether it may lie on this machine or a private network.
    #[serde(default)]
    pub allow_private: bool,
    /// For one try, from the first byte sent to the last received, as `15s`.
    #[serde(default = "defaults::timeout", with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub timeout: Duration,
}

mod defaults {
    use super::BTreeSet;
    use super::Duration;
    use super::EventKind;

    pub(super) fn events() -> BTreeSet<EventKind> {
        EventKind::ALL.into_iter().collect()
    }
    pub(super) fn timeout() -> Duration {
        Duration::from_secs(15)
    }
}

/// How a message is written; each way is signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// Standard Webhooks: the event as the body.
    #[default]
    Standard,
    /// CloudEvents in binary mode: the event's data as the body, the rest in headers.
    #[serde(rename = "cloudevents")]
    CloudEvents,
}

impl EndpointSettings {
    /// Everything that is wrong with these settings in themselves, by key; files are
    /// not read and names not resolved.
    pub fn faults(&self) -> Vec<(&'static str, String)> {
        let mut faults = Vec::new();
        if let Err(blocked) = guard::admit(&self.url, self.allow_private) {
            faults.push(("url", blocked.to_string()));
        }
        if self.url.url().scheme() == "http" && !self.allow_private {
            let mend =
                "must begin with https://, or `allow_private` be set: over http everybody on the way reads along";
            faults.push(("url", String::from(mend)));
        }
        for (key, file) in
            [("secret_file", Some(&self.secret_file)), ("previous_secret_file", self.previous_secret_file.as_ref())]
        {
            if file.is_some_and(|file| file.to_string_lossy().starts_with(sign::PREFIX)) {
                faults.push((key, String::from("must be a file that holds the secret, not the secret")));
            }
        }
        if self.events.is_empty() {
            faults.push(("events", String::from("must name an event; leave it out for all of them")));
        }
        if !TIMEOUTS.contains(&self.timeout) {
            let (least, most) = (TIMEOUTS.start(), TIMEOUTS.end());
            faults.push(("timeout", format!("must be from {least:?} to {most:?}")));
        }
        faults
    }

    /// The files of its secrets, the current one first.
    pub(super) fn secret_files(&self) -> impl Iterator<Item = &PathBuf> {
        std::iter::once(&self.secret_file).chain(&self.previous_secret_file)
    }
}

fn read_events<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeSet<EventKind>, D::Error> {
    let words = Vec::<String>::deserialize(deserializer)?;
    let known = || EventKind::ALL.map(wire::event_type).join(", ");
    let named = |word: &String| {
        let kind = EventKind::ALL.into_iter().find(|kind| wire::event_type(*kind) == word);
        kind.ok_or_else(|| serde::de::Error::custom(format!("there is no event `{word}`; there are: {}", known())))
    };
    words.iter().map(named).collect()
}

/// The URL of an endpoint. It shows as scheme, host and port only, because paths
/// and queries of webhooks are often secret.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Target(Url);

/// Why a text is not the URL of an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// Not a URL at all.
    #[error("not a URL ({0}); write it as https://host/path")]
    Unreadable(url::ParseError),
    /// Neither `http` nor `https`.
    #[error("the URL of an endpoint begins with https:// or http://")]
    Scheme,
    /// A user or a password before the host.
    #[error("a user or a password in a URL says nothing to a webhook receiver, which checks the signature")]
    UserInfo,
    /// Something behind `#`.
    #[error("the URL of an endpoint has no `#` part")]
    Fragment,
}

impl Target {
    /// The URL that `text` writes.
    ///
    /// # Errors
    /// It writes none of an endpoint.
    pub fn parse(text: &str) -> Result<Self, TargetError> {
        let url = Url::parse(text).map_err(TargetError::Unreadable)?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(TargetError::Scheme);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(TargetError::UserInfo);
        }
        if url.fragment().is_some() {
            return Err(TargetError::Fragment);
        }
        Ok(Self(url))
    }

    pub(super) fn url(&self) -> &Url {
        &self.0
    }

    /// `text` without what may be secret of this URL: error pages like to say which
    /// path they do not know, as it was sent or decoded.
    pub(super) fn hidden_in(&self, text: &str) -> String {
        let (path, query) = (self.0.path(), self.0.query().unwrap_or_default());
        let mut parts = Vec::new();
        for part in path.split('/').chain(query.split(['&', '='])).filter(|part| part.len() >= MIN_HIDDEN_BYTES) {
            let (decoded, _) = form_urlencoded::parse(part.as_bytes()).next().unwrap_or_default();
            parts.extend([part.to_owned(), decoded.into_owned()]);
        }
        // One that begins another must not break it up before it is found.
        parts.sort_by_key(|part| Reverse(part.len()));
        parts.iter().filter(|part| !part.is_empty()).fold(text.to_owned(), |text, part| text.replace(part, "…"))
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let more = if self.0.path() == "/" && self.0.query().is_none() { "" } else { "/…" };
        write!(f, "{}{more}", self.0.origin().ascii_serialization())
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl TryFrom<String> for Target {
    type Error = TargetError;
    fn try_from(text: String) -> Result<Self, TargetError> {
        Self::parse(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(more: &str) -> Result<EndpointSettings, String> {
        let text = format!(r#"{{"secret_file": "/run/secrets/a"{more}}}"#);
        serde_json::from_str(&text).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_not_said_has_a_default() {
        let plain = read(r#", "url": "https://a.example/hook?key=hidden""#).unwrap();
        assert_eq!(plain.faults(), []);
        assert_eq!((plain.events.len(), plain.format, plain.timeout.as_secs()), (6, Format::Standard, 15));
        assert!(!plain.allow_private);
        assert!(!format!("{plain:?}").contains("hidden"));
        assert_eq!(plain.url.to_string(), "https://a.example/…");
    }

    #[test]
    fn what_a_receiver_repeats_of_the_url_is_hidden() {
        let check = |url: &str, said: &str, expect: &str| {
            assert_eq!(Target::parse(url).unwrap().hidden_in(said), expect, "{url}");
        };
        check("https://a.example/hook/T0K3NT0K3N", "Cannot POST /hook/T0K3NT0K3N", "Cannot POST /hook/…");
        check("https://a.example/hook?key=s3cr3t&n=1", "no /hook?key=s3cr3t&amp;n=1", "no /hook?key=…&amp;n=1");
        check("https://a.example/h?secretsecret", "no secretsecret, no secret", "no …, no secret");
        check("https://a.example/abcdef/abcdefgh", "/abcdef/abcdefgh", "/…/…");
        check("https://a.example/caf%C3%A9caf%C3%A9", "café cafécafé or caf%C3%A9caf%C3%A9", "café … or …");
        check("https://a.example/", "Cannot POST /", "Cannot POST /");
    }

    #[test]
    fn faults_name_their_key() {
        let check = |more: &str, expect: &[&str]| {
            let keys: Vec<_> = read(more).unwrap().faults().into_iter().map(|(key, _)| key).collect();
            assert_eq!(keys, expect, "{more}");
        };
        check(r#", "url": "http://a.example""#, &["url"]);
        check(r#", "url": "http://a.example", "allow_private": true"#, &[]);
        check(r#", "url": "http://[::1]:1/", "events": [], "timeout": "90s""#, &["url", "url", "events", "timeout"]);
        check(r#", "url": "https://a.example", "previous_secret_file": "whsec_AAAA""#, &["previous_secret_file"]);
        check(r#", "url": "https://169.254.169.254/", "allow_private": true"#, &["url"]);
        assert!(
            read(r#", "url": "https://a.example", "events": ["wave.exploded"]"#)
                .unwrap_err()
                .contains("there are: wave.opened")
        );
        for url in ["ftp://a", "a.example", "https://u:p@a.example", "https://a.example/#x", "https://"] {
            assert!(Target::parse(url).is_err(), "{url}");
        }
    }
}
