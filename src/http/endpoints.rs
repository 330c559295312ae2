//! Webhook endpoints: how they stand, their dead letters, and what a person does about them.

use crate::http::Api;
use crate::http::Gates;
use crate::http::body;
use crate::http::problem::Problem;
use crate::series::Timestamp;
use crate::store;
use crate::store::Backlog;
use crate::store::DeadLetter;
use crate::store::Outbox;
use crate::telemetry::Chain;
use crate::wave::EventKind;
use crate::wire;
use axum::Json;
use axum::body::Body;
use axum::extract::FromRequestParts;
use axum::extract::Query;
use axum::extract::RawPathParams;
use axum::extract::State;
use axum::http::Request;
use axum::http::Response;
use axum::http::StatusCode;
use axum::http::Uri;
use axum::http::request::Parts;
use axum::response::IntoResponse;
use serde::Deserialize;
use serde::Serialize;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Dead letters on one page when nobody says how many.
const DEFAULT_PAGE: u32 = 50;
/// Dead letters on one page.
const MAX_PAGE: u32 = 200;

/// The configured endpoints and the outbox; none by default. Cheap to clone.
#[derive(Clone, Default)]
pub struct Endpoints(Option<Arc<Inner>>);

struct Inner {
    entries: BTreeMap<String, EndpointEntry>,
    outbox: Arc<dyn Outbox>,
}

/// What is shown of an endpoint's configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointEntry {
    /// Where it lies, without what may be secret.
    pub url: String,
    /// What it is told.
    pub events: BTreeSet<EventKind>,
}

impl Endpoints {
    /// The configured `entries` by name, whose messages are in `outbox`.
    pub fn new(entries: BTreeMap<String, EndpointEntry>, outbox: Arc<dyn Outbox>) -> Self {
        Self(Some(Arc::new(Inner { entries, outbox })))
    }

    /// The outbox, if there is an endpoint `name`.
    fn outbox_of(&self, name: &str) -> Result<&dyn Outbox, Problem> {
        let inner = self.0.as_deref().filter(|inner| inner.entries.contains_key(name));
        let missing =
            || Problem::new(StatusCode::NOT_FOUND, "no_such_endpoint", format!("no endpoint `{name}` is configured"));
        inner.map(|inner| inner.outbox.as_ref()).ok_or_else(missing)
    }
}

#[derive(Serialize)]
struct List<'a> {
    endpoints: Vec<Listed<'a>>,
}

#[derive(Serialize)]
struct Listed<'a> {
    name: &'a str,
    url: &'a str,
    events: Vec<&'static str>,
    disabled: Option<Disabled>,
    waiting: u64,
    dead: u64,
}

#[derive(Serialize)]
struct Disabled {
    since: String,
    reason: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Page {
    after: Option<i64>,
    limit: Option<u32>,
}

#[derive(Serialize)]
struct Letters<'a> {
    dead: Vec<Letter<'a>>,
    /// What `after` must be for the next page; `null` on the last.
    next: Option<i64>,
}

#[derive(Serialize)]
struct Letter<'a> {
    id: &'a str,
    r#type: &'static str,
    written_at: String,
    tries: u32,
    outcome: Option<&'a str>,
}

impl<'a> Letter<'a> {
    fn of(letter: &'a DeadLetter) -> Self {
        let DeadLetter { id, kind, at, tries, outcome, .. } = letter;
        let (r#type, written_at) = (wire::event_type(*kind), at.to_string());
        Self { id, r#type, written_at, tries: *tries, outcome: outcome.as_deref() }
    }
}

/// A body is asked for so that no form on a web page can be sent here.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

#[derive(Serialize)]
struct Resent {
    resent: u64,
}

#[derive(Serialize)]
struct Enabled {
    /// Whether it was disabled before.
    enabled: bool,
}

/// What the path names.
#[derive(Debug)]
pub(crate) struct Place {
    endpoint: String,
    message_id: Option<String>,
}

impl<S: Send + Sync> FromRequestParts<S> for Place {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let names = RawPathParams::from_request_parts(parts, state).await;
        let names = names.map_err(|_| {
            Problem::new(StatusCode::NOT_FOUND, "no_such_endpoint", "no endpoint's name is other than UTF-8")
        })?;
        let name = |wanted: &str| names.iter().find(|(name, _)| *name == wanted).map(|(_, value)| value.to_owned());
        Ok(Self { endpoint: name("endpoint").unwrap_or_default(), message_id: name("message_id") })
    }
}

/// Every configured endpoint by name.
pub(crate) async fn list<G: Gates>(State(api): State<Api<G>>) -> Result<Response<Body>, Problem> {
    let mut endpoints = Vec::new();
    if let Some(inner) = api.endpoints.0.as_deref() {
        for (name, entry) in &inner.entries {
            let Backlog { disabled, waiting, dead } = inner.outbox.backlog(name).await.map_err(unavailable)?;
            let disabled = disabled.map(|(since, reason)| Disabled { since: since.to_string(), reason });
            let events = entry.events.iter().copied().map(wire::event_type).collect();
            endpoints.push(Listed { name, url: &entry.url, events, disabled, waiting, dead });
        }
    }
    Ok(Json(List { endpoints }).into_response())
}

/// An endpoint's dead letters, oldest first, a page at a time.
pub(crate) async fn dead<G: Gates>(
    State(api): State<Api<G>>,
    place: Place,
    uri: Uri,
) -> Result<Response<Body>, Problem> {
    let Query(page) = Query::<Page>::try_from_uri(&uri).map_err(|error| unreadable(&error.body_text()))?;
    let limit = page.limit.unwrap_or(DEFAULT_PAGE);
    if limit == 0 || limit > MAX_PAGE {
        return Err(Problem::parameter("limit", format!("must be 1 to {MAX_PAGE}")));
    }
    let outbox = api.endpoints.outbox_of(&place.endpoint)?;
    let mut letters = outbox.dead(&place.endpoint, page.after, limit + 1).await.map_err(unavailable)?;
    let more = letters.len() > limit as usize;
    letters.truncate(limit as usize);
    let next = letters.last().filter(|_| more).map(|letter| letter.sequence);
    Ok(Json(Letters { dead: letters.iter().map(Letter::of).collect(), next }).into_response())
}

/// Sends a dead letter again, or all of an endpoint.
pub(crate) async fn resend<G: Gates>(
    State(api): State<Api<G>>,
    place: Place,
    request: Request<Body>,
) -> Result<Response<Body>, Problem> {
    let Nothing {} = body::json(request, api.body_limit()).await?;
    let Place { endpoint, message_id } = place;
    let outbox = api.endpoints.outbox_of(&endpoint)?;
    if outbox.backlog(&endpoint).await.map_err(unavailable)?.disabled.is_some() {
        let detail = format!("endpoint `{endpoint}` is disabled; enable it first");
        return Err(Problem::new(StatusCode::CONFLICT, "endpoint_disabled", detail));
    }
    let now: Timestamp = (api.shared.now)();
    let resent = outbox.resend(&endpoint, message_id.as_deref(), now).await.map_err(unavailable)?;
    if let (0, Some(id)) = (resent, &message_id) {
        let detail = format!("endpoint `{endpoint}` has no dead letter `{id}`");
        return Err(Problem::new(StatusCode::NOT_FOUND, "no_such_message", detail));
    }
    tracing::info!(endpoint, message.id = message_id, resent, "asked to send dead letters again");
    Ok(Json(Resent { resent }).into_response())
}

/// Takes an endpoint that answered 410 into use again.
pub(crate) async fn enable<G: Gates>(
    State(api): State<Api<G>>,
    place: Place,
    request: Request<Body>,
) -> Result<Response<Body>, Problem> {
    let Nothing {} = body::json(request, api.body_limit()).await?;
    let outbox = api.endpoints.outbox_of(&place.endpoint)?;
    let enabled = outbox.enable(&place.endpoint).await.map_err(unavailable)?;
    tracing::info!(endpoint = place.endpoint, enabled, "asked to enable an endpoint");
    Ok(Json(Enabled { enabled }).into_response())
}

/// A query that is no [`Page`]: the text names the parameter where it is one of ours.
fn unreadable(text: &str) -> Problem {
    Problem::parameter(if text.contains(": after: ") { "after" } else { "limit" }, text)
}

#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
fn unavailable(error: store::Error) -> Problem {
    tracing::error!(error = %Chain(&error), "the outbox cannot be asked");
    Problem::busy("store_unavailable", "the store cannot be asked now")
}
