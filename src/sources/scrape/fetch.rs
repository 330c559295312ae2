//! One GET of one target.
//!
//! Redirects are not followed and proxies of the environment not used: a target
//! is what the operator named. A body is taken in pieces as they come out of the
//! decompressor and given up at the limit, so a gzip bomb or an endless body
//! costs the limit and no more.

use crate::series::exposition::Format;
use crate::sources::Error;
use crate::sources::error::excerpt;
use crate::sources::prometheus::Bounded;
use crate::sources::scrape::settings::Settings;
use reqwest::Response;
use reqwest::StatusCode;
use reqwest::Url;
use reqwest::header;
use std::error::Error as _;
use std::time::Duration;

/// What Prometheus asks for, in its order.
const ACCEPT: &str = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
     application/openmetrics-text;version=1.0.0;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,\
     text/plain;version=0.0.4;q=0.2,*/*;q=0.1";
/// Tells a target how long we wait; some give up themselves.
const PATIENCE: &str = "x-prometheus-scrape-timeout-seconds";

/// A body as it came.
#[derive(Debug)]
pub(super) struct Body {
    pub(super) format: Format,
    pub(super) bytes: Vec<u8>,
}

/// Why a scrape brought nothing. None of it holds more of a URL than is in the settings.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("no answer: {}", in_full(.0))]
    Unreachable(reqwest::Error),
    #[error("no complete answer within {0:?}")]
    TimedOut(Duration),
    #[error("answered with status {0}, not 200")]
    Status(u16),
    #[error("answered with `{0}`, which is no exposition of metrics")]
    NotExposition(String),
    #[error("the answer broke off: {}", in_full(.0))]
    Interrupted(reqwest::Error),
    #[error("answered with more than {0} bytes (`max_bytes`)")]
    TooLarge(usize),
    #[error("exposes more than {0} samples (`max_series`)")]
    TooManySeries(usize),
}

/// The client of the source `name`.
pub(super) fn client(name: &str, settings: &Settings) -> Result<reqwest::Client, Error> {
    // An error here means that a provider is installed already, which is as good.
    drop(rustls::crypto::ring::default_provider().install_default());
    let builder = reqwest::Client::builder()
        .user_agent(concat!("wavegate/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .pool_max_idle_per_host(1);
    // Without TLS nobody is to be trusted, and a container may have no certificates at all.
    let is_plain = settings.targets.iter().all(|target| !target.url.is_https());
    let builder = if is_plain { builder.tls_certs_only([]) } else { builder };
    builder.build().map_err(|cause| Error::Settings {
        name: name.to_owned(),
        problem: "the HTTP client cannot be built".to_owned(),
        cause: Some(cause.into()),
    })
}

/// What `url` exposes within `timeout`, in at most `max_bytes`.
pub(super) async fn fetch(
    client: &reqwest::Client,
    url: Url,
    timeout: Duration,
    max_bytes: usize,
) -> Result<Body, Failure> {
    let work = async {
        let request =
            client.get(url).header(header::ACCEPT, ACCEPT).header(PATIENCE, timeout.as_secs_f64().to_string());
        let mut response = request.send().await.map_err(|cause| Failure::Unreachable(cause.without_url()))?;
        if response.status() != StatusCode::OK {
            return Err(Failure::Status(response.status().as_u16()));
        }
        let format = format(&response)?;
        let mut body = Bounded::new(max_bytes);
        while let Some(chunk) = response.chunk().await.map_err(|cause| Failure::Interrupted(cause.without_url()))? {
            if !body.push(&chunk) {
                return Err(Failure::TooLarge(max_bytes));
            }
        }
        Ok(Body { format, bytes: body.into_bytes() })
    };
    tokio::time::timeout(timeout, work).await.unwrap_or(Err(Failure::TimedOut(timeout)))
}

/// By its content type; an answer without one is taken for text.
fn format(response: &Response) -> Result<Format, Failure> {
    let Some(value) = response.headers().get(header::CONTENT_TYPE) else { return Ok(Format::Text) };
    let kind = String::from_utf8_lossy(value.as_bytes());
    let essence = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match essence.as_str() {
        "application/openmetrics-text" => Ok(Format::OpenMetrics),
        "text/plain" | "" => Ok(Format::Text),
        _ => Err(Failure::NotExposition(excerpt(&kind))),
    }
}

/// The client's error with its causes, on one line.
fn in_full(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    excerpt(&text)
}
