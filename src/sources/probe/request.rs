//! One request of a probe.
//!
//! Redirects are not followed and proxies of the environment not used: a probe asks
//! whom the rule file names and nobody else. Each request has a connection of its own,
//! as a new visitor's would, so name server, handshake and a listener that is gone are
//! part of what is measured, and no connection is found dead that was kept too long.

use crate::sources::error::excerpt;
use crate::telemetry::Chain;
use reqwest::Url;
use std::time::Duration;
use tokio::time::Instant;

/// Bytes that are read of a body: enough for any health page. The rest is not waited for.
const BODY_MAX: usize = 64 * 1024;

/// How a request ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ended {
    pub(super) how: How,
    /// From its beginning; `None` where it took all the time there was.
    pub(super) waited: Option<Duration>,
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum How {
    /// A status of 2xx, and a body without a fault as far as it was read.
    Success,
    /// Another status, which a redirect is too, or a body that broke off or took too long.
    Failure,
    /// No status at all, and why.
    NoAnswer(String),
}

impl Ended {
    /// For metrics.
    pub(super) fn word(&self) -> &'static str {
        match self.how {
            How::Success => "success",
            How::Failure => "failure",
            How::NoAnswer(_) => "no_answer",
        }
    }
}

/// The client of probes; `is_plain` where no `https` is to be requested with it.
pub(super) fn client(is_plain: bool) -> Result<reqwest::Client, reqwest::Error> {
    // An error here means that a provider is installed already, which is as good.
    drop(rustls::crypto::ring::default_provider().install_default());
    let builder = reqwest::Client::builder()
        .user_agent(concat!("wavegate/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        // Bytes are counted as they are sent.
        .no_gzip()
        .pool_max_idle_per_host(0);
    // Without TLS nobody is to be trusted, and a container may have no certificates at all.
    let builder = if is_plain { builder.tls_certs_only([]) } else { builder };
    builder.build()
}

/// Requests `url`, for at most `timeout`.
pub(super) async fn request(client: &reqwest::Client, url: &Url, timeout: Duration) -> Ended {
    let begun = Instant::now();
    let mut status = None;
    let work = async {
        let mut response = client.get(url.clone()).send().await?;
        status = Some(response.status());
        let mut bytes = 0;
        while let Some(chunk) = response.chunk().await? {
            bytes += chunk.len();
            if bytes >= BODY_MAX {
                break;
            }
        }
        Ok(())
    };
    let ended: Result<Result<(), reqwest::Error>, _> = tokio::time::timeout(timeout, work).await;
    let waited = ended.is_ok().then(|| begun.elapsed());
    let how = match (status, ended) {
        (Some(status), Ok(Ok(()))) if status.is_success() => How::Success,
        (Some(_), _) => How::Failure,
        (None, Ok(Err(cause))) => How::NoAnswer(excerpt(&Chain(&cause.without_url()).to_string())),
        (None, _) => How::NoAnswer(format!("nothing within {timeout:?}")),
    };
    Ended { how, waited }
}
