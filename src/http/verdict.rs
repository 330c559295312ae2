//! Verdicts: read from memory, waited for, or read from the archive.

use crate::engine::Published;
use crate::http::Api;
use crate::http::Gates;
use crate::http::conditional;
use crate::http::problem::Problem;
use crate::http::target::Target;
use axum::body::Body;
use axum::extract::Query;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::HeaderValue;
use axum::http::Response;
use axum::http::Uri;
use axum::http::header::RETRY_AFTER;
use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// The longest `?wait=`: proxies cut idle requests off soon after a minute.
pub(crate) const MAX_WAIT: Duration = Duration::from_mins(1);

/// When to ask again where no look is in sight: a source that is down is tried about so often.
const RETRY_UNKNOWN: Duration = Duration::from_secs(10);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Parameters {
    wait: Option<String>,
}

/// The verdict of a wave, or of one gate of it.
pub(crate) async fn current<G: Gates>(
    State(api): State<Api<G>>,
    target: Target,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response<Body>, Problem> {
    let wait = wait(&uri)?;
    let mut watched = api.gates.watch(&target.wave, target.rules.as_ref()).await?;
    let published = match wait {
        Some(wait) => changed(&api, &headers, &mut watched, wait).await?,
        None => Arc::clone(&watched.borrow()),
    };
    Ok(api.answer(&headers, &published))
}

/// The last verdict of an attempt.
pub(crate) async fn attempt<G: Gates>(
    State(api): State<Api<G>>,
    target: Target,
    headers: HeaderMap,
) -> Result<Response<Body>, Problem> {
    let (rules, attempt) = target.attempt()?;
    let document = api.gates.archived(&target.wave, rules, attempt, None).await?;
    archived(&target, &headers, document, conditional::REVALIDATE)
}

/// One revision of an attempt: it never changes.
pub(crate) async fn revision<G: Gates>(
    State(api): State<Api<G>>,
    target: Target,
    headers: HeaderMap,
) -> Result<Response<Body>, Problem> {
    let (rules, attempt) = target.attempt()?;
    let document = api.gates.archived(&target.wave, rules, attempt, Some(target.revision()?)).await?;
    archived(&target, &headers, document, conditional::FOR_EVER)
}

impl<G> Api<G> {
    /// The document, or 304; while it is not settled with the seconds to the next look.
    pub(crate) fn answer(&self, headers: &HeaderMap, published: &Published) -> Response<Body> {
        let body = published.body.clone();
        let mut response = conditional::answer(headers, body, &published.etag, conditional::REVALIDATE);
        if !published.settled {
            let now = (self.shared.now)();
            let until = published.next_look.map_or(RETRY_UNKNOWN, |look| look.since(now));
            let seconds = until.as_millis().div_ceil(1000).max(1);
            let seconds = u64::try_from(seconds).unwrap_or(u64::MAX);
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// Waits for news for as long as `wait`. A caller that has a document wants another
/// one; a caller that has none wants it settled.
async fn changed<G: Gates>(
    api: &Api<G>,
    headers: &HeaderMap,
    watched: &mut watch::Receiver<Arc<Published>>,
    wait: Duration,
) -> Result<Arc<Published>, Problem> {
    let conditional = conditional::is_conditional(headers);
    let is_news = |published: &Published| {
        if conditional { !conditional::has(headers, &published.etag) } else { published.settled }
    };
    let now = Arc::clone(&watched.borrow_and_update());
    if is_news(&now) || wait.is_zero() {
        return Ok(now);
    }
    let too_many = |_| Problem::busy("too_many_waiters", "too many callers wait; poll without `wait`");
    let _place = api.shared.waiters.try_acquire().map_err(too_many)?;
    let end = Instant::now() + wait;
    loop {
        let changed = async {
            if watched.changed().await.is_err() {
                // Nobody will publish here again: it stays as it is until the end.
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            () = changed => {}
            () = tokio::time::sleep_until(end) => break,
            () = api.shared.drain.cancelled() => break,
        }
        let now = Arc::clone(&watched.borrow_and_update());
        if is_news(&now) {
            return Ok(now);
        }
    }
    Ok(Arc::clone(&watched.borrow()))
}

fn archived(
    target: &Target,
    headers: &HeaderMap,
    document: Option<String>,
    caching: HeaderValue,
) -> Result<Response<Body>, Problem> {
    Ok(conditional::tagged(headers, document.ok_or_else(|| target.nothing())?, caching))
}

fn wait(uri: &Uri) -> Result<Option<Duration>, Problem> {
    let Query(parameters) =
        Query::<Parameters>::try_from_uri(uri).map_err(|error| Problem::parameter("wait", error.body_text()))?;
    let Some(text) = parameters.wait else { return Ok(None) };
    let parsed = text.parse::<jiff::SignedDuration>().ok().and_then(|wait| Duration::try_from(wait).ok());
    let fits = parsed.filter(|wait| *wait <= MAX_WAIT);
    fits.map(Some).ok_or_else(|| Problem::parameter("wait", "must be a time from 0s to 60s, such as `30s`"))
}
