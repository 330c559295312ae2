//! One try: one POST, and what came of it.
//!
//! Redirects are not followed: an answer does not choose whom we tell. Connections
//! are not kept, for events are rare and an address is checked when it is connected
//! to. Of an answer's body we read a little, to tell the operator what went wrong.

use crate::delivery::Error;
use crate::delivery::cloudevents;
use crate::delivery::guard::Blocked;
use crate::delivery::guard::Guard;
use crate::delivery::schedule;
use crate::delivery::settings::EndpointSettings;
use crate::delivery::settings::Format;
use crate::delivery::settings::Target;
use crate::delivery::sign::Secret;
use crate::delivery::sign::signature;
use crate::series::Timestamp;
use crate::store::Leased;
use crate::telemetry::Chain;
use reqwest::Client;
use reqwest::RequestBuilder;
use reqwest::Response;
use reqwest::header::CONTENT_TYPE;
use reqwest::header::RETRY_AFTER;
use sha2::Digest as _;
use sha2::Sha256;
use std::borrow::Cow;
use std::error::Error as _;
use std::fmt;
use std::fmt::Write as _;
use std::time::Duration;
use tokio::time::Instant;
use tokio::time::timeout_at;

/// Bytes of an answer that are read: an error message is shorter.
const MAX_ANSWER_BYTES: usize = 16 * 1024;

/// Characters of what went wrong that are kept with a delivery.
const MAX_SAID_CHARS: usize = 200;

/// The longest message id that is a header as it is.
const MAX_ID_BYTES: usize = 64;

/// How to post to one endpoint.
pub(super) struct Sender {
    client: Client,
    guard: Guard,
    url: Target,
    format: Format,
    timeout: Duration,
}

/// What came of a try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It answered.
    Answered {
        status: u16,
        /// How long it wants to be left alone.
        retry_after: Option<Duration>,
        /// How its answer begins, where it is an error.
        said: String,
    },
    /// It did not answer in time.
    TimedOut(Duration),
    /// It cannot be connected to, or broke the connection off.
    Unreachable(String),
    /// It lies where it may not.
    Blocked(String),
}

impl Outcome {
    /// As the metrics call it: one of a few words.
    pub(super) fn label(&self) -> &'static str {
        match self {
            Self::Answered { status: 200..=299, .. } => "delivered",
            Self::Answered { status: 300..=399, .. } => "redirected",
            Self::Answered { status: 410, .. } => "gone",
            Self::Answered { status: 429, .. } => "throttled",
            Self::Answered { status: 400..=499, .. } => "client_error",
            Self::Answered { .. } => "server_error",
            Self::TimedOut(_) => "timeout",
            Self::Unreachable(_) => "unreachable",
            Self::Blocked(_) => "blocked_address",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answered { status, said, .. } if said.is_empty() => write!(f, "status {status}"),
            Self::Answered { status, said, .. } => write!(f, "status {status}: {said}"),
            Self::TimedOut(timeout) => write!(f, "no answer within {timeout:?}"),
            Self::Unreachable(why) => write!(f, "unreachable: {why}"),
            Self::Blocked(why) => write!(f, "blocked address: {why}"),
        }
    }
}

impl Sender {
    /// For the endpoint `name`.
    pub(super) fn new(name: &str, settings: &EndpointSettings, guard: Guard) -> Result<Self, Error> {
        // An error here means that a provider is installed already, which is as good.
        drop(rustls::crypto::ring::default_provider().install_default());
        let builder = Client::builder()
            .user_agent(concat!("wavegate/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .no_gzip()
            .pool_max_idle_per_host(0)
            .dns_resolver(guard.clone());
        // Without TLS nobody is to be trusted, and a container may have no certificates at all.
        let is_plain = settings.url.url().scheme() == "http";
        let builder = if is_plain { builder.tls_certs_only([]) } else { builder };
        let client = builder.build().map_err(|source| Error::Client { endpoint: name.to_owned(), source })?;
        let (url, format, timeout) = (settings.url.clone(), settings.format, settings.timeout);
        Ok(Self { client, guard, url, format, timeout })
    }

    /// Posts `leased`, signed by `secrets` at `now`.
    pub(super) async fn send(&self, leased: &Leased, secrets: &[Secret], now: Timestamp) -> Outcome {
        if let Err(blocked) = self.guard.admit(&self.url) {
            return Outcome::Blocked(short(&blocked.to_string()));
        }
        let deadline = Instant::now() + self.timeout;
        let request = self.request(leased, secrets, now);
        match timeout_at(deadline, request.send()).await {
            Err(_) => Outcome::TimedOut(self.timeout),
            Ok(Err(error)) => failed(error),
            Ok(Ok(response)) => answered(response, deadline, now, &self.url).await,
        }
    }

    fn request(&self, leased: &Leased, secrets: &[Secret], now: Timestamp) -> RequestBuilder {
        let id = header_id(&leased.id);
        let (headers, body) = match self.format {
            Format::Standard => (Vec::new(), leased.body.as_str()),
            // A body that is no event was written by nobody; it goes as it is.
            Format::CloudEvents => cloudevents::binary(&id, &leased.body).unwrap_or((Vec::new(), &leased.body)),
        };
        let seconds = now.as_millis().div_euclid(1000);
        let mut request = self
            .client
            .post(self.url.url().clone())
            .header(CONTENT_TYPE, "application/json")
            .header("webhook-id", id.as_ref())
            .header("webhook-timestamp", seconds)
            .header("webhook-signature", signature(secrets, &id, seconds, body.as_bytes()));
        for (name, value) in headers {
            request = request.header(name, value);
        }
        request.body(body.to_owned())
    }
}

/// A message's id as a header: itself where it is plain. A full stop would make the
/// signed text ambiguous, and what is not ASCII is no header.
pub(super) fn header_id(id: &str) -> Cow<'_, str> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if !id.is_empty() && id.len() <= MAX_ID_BYTES && id.bytes().all(plain) {
        return Cow::Borrowed(id);
    }
    let mut safe = String::from("msg_");
    for byte in Sha256::digest(id).iter().take(16) {
        // Writing to a string cannot fail.
        let _ = write!(safe, "{byte:02x}");
    }
    Cow::Owned(safe)
}

/// The status decides, whatever becomes of the body.
async fn answered(mut response: Response, deadline: Instant, now: Timestamp, url: &Target) -> Outcome {
    let status = response.status();
    let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    let retry_after = retry_after.and_then(|value| schedule::retry_after(value, now));
    let mut body = Vec::new();
    let read = async {
        while let Ok(Some(chunk)) = response.chunk().await {
            let room = MAX_ANSWER_BYTES - body.len();
            body.extend_from_slice(&chunk[..chunk.len().min(room)]);
            if body.len() == MAX_ANSWER_BYTES {
                break;
            }
        }
    };
    // What has come until then is said.
    let _ = timeout_at(deadline, read).await;
    let said = if status.is_success() { String::new() } else { short(&url.hidden_in(&String::from_utf8_lossy(&body))) };
    Outcome::Answered { status: status.as_u16(), retry_after, said }
}

fn failed(error: reqwest::Error) -> Outcome {
    let mut cause = error.source();
    while let Some(inner) = cause {
        if let Some(blocked) = inner.downcast_ref::<Blocked>() {
            return Outcome::Blocked(short(&blocked.to_string()));
        }
        cause = inner.source();
    }
    Outcome::Unreachable(short(&Chain(&error.without_url()).to_string()))
}

/// The beginning of `text` as one line that can be printed anywhere.
fn short(text: &str) -> String {
    let visible = |c: char| {
        !c.is_control()
            && !matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    let words = text.split(|c: char| c.is_whitespace() || !visible(c)).filter(|word| !word.is_empty());
    let line = words.collect::<Vec<_>>().join(" ");
    let mut short: String = line.chars().take(MAX_SAID_CHARS).collect();
    if short.len() < line.len() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_headers_without_a_full_stop() {
        assert_eq!(header_id("msg_0f3a"), "msg_0f3a");
        let mut seen = std::collections::BTreeSet::new();
        for id in ["", "a.b", "é", "a b", "a\r\nx: y", &"x".repeat(65), "a\0"] {
            let safe = header_id(id).into_owned();
            assert!(safe.len() == 36 && safe.starts_with("msg_") && !safe.contains('.'), "{id:?}: {safe}");
            assert_eq!(header_id(id), safe);
            assert!(seen.insert(safe));
        }
    }

    #[test]
    fn what_is_said_is_one_short_line() {
        assert_eq!(short("<p>\r\n\tno\u{1b}[31m \u{202e}way</p>"), "<p> no [31m way</p>");
        assert_eq!(short(&"é".repeat(300)).chars().count(), MAX_SAID_CHARS + 1);
    }
}
