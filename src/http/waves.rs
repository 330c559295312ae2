//! Waves: opened, listed, decided, attested, cancelled.

use crate::engine::Word;
use crate::http::Api;
use crate::http::Gates;
use crate::http::body;
use crate::http::problem::Problem;
use crate::http::request::AttestationRequest;
use crate::http::request::CancelRequest;
use crate::http::request::DecisionRequest;
use crate::http::request::OpenRequest;
use crate::http::target::Target;
use crate::wire;
use crate::wire::Headline;
use axum::Json;
use axum::body::Body;
use axum::extract::Query;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::Request;
use axum::http::Response;
use axum::http::Uri;
use axum::response::IntoResponse;
use serde::Deserialize;
use serde::Serialize;
use std::time::Duration;

/// Waves on one page when nobody says how many.
const DEFAULT_PAGE: usize = 50;
/// Waves on one page: each costs a reading of its document.
const MAX_PAGE: usize = 200;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Page {
    after: Option<String>,
    limit: Option<usize>,
}

#[derive(Serialize)]
struct List<'a> {
    waves: Vec<Headline<'a>>,
    /// What `after` must be for the next page; `null` on the last.
    next: Option<&'a str>,
}

/// Opens the gates that are not open.
pub(crate) async fn open<G: Gates>(
    State(api): State<Api<G>>,
    target: Target,
    request: Request<Body>,
) -> Result<Response<Body>, Problem> {
    let asked: OpenRequest = body::json(request, api.body_limit()).await?;
    let single = asked.is_single();
    let open = asked.open(target.wave)?;
    let rules = open.rules.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    tracing::info!(wave.id = %open.wave, rules, run = open.run.as_deref(), "asked to open gates");
    let published = api.gates.open(open).await.map_err(|refusal| Problem::refused(refusal, single))?;
    Ok(api.answer(&HeaderMap::new(), &published))
}

/// Waves in memory by id, a page at a time.
pub(crate) async fn list<G: Gates>(State(api): State<Api<G>>, uri: Uri) -> Result<Response<Body>, Problem> {
    let Query(page) =
        Query::<Page>::try_from_uri(&uri).map_err(|error| Problem::parameter("limit", error.body_text()))?;
    let limit = page.limit.unwrap_or(DEFAULT_PAGE);
    if limit == 0 || limit > MAX_PAGE {
        return Err(Problem::parameter("limit", format!("must be 1 to {MAX_PAGE}")));
    }
    let after = page.after.as_deref();
    let mut waves = api.gates.waves();
    waves.retain(|listed| after.is_none_or(|after| listed.wave.as_str() > after));
    let more = waves.len() > limit;
    waves.truncate(limit);
    let headlines = waves.iter().map(|listed| Headline::read(&listed.published.body)).collect::<Result<_, _>>();
    let headlines = headlines.map_err(|error| {
        tracing::error!(%error, "a published document is not one");
        Problem::internal()
    })?;
    let next = waves.last().filter(|_| more).map(|listed| listed.wave.as_str());
    Ok(Json(List { waves: headlines, next }).into_response())
}

/// A person passes or fails a gate.
pub(crate) async fn decide<G: Gates>(
    State(api): State<Api<G>>,
    target: Target,
    request: Request<Body>,
) -> Result<Response<Body>, Problem> {
    let asked: DecisionRequest = body::json(request, api.body_limit()).await?;
    api.say(&target, asked.word()?).await
}

/// Somebody says that what a gate requires is there.
pub(crate) async fn attest<G: Gates>(
    State(api): State<Api<G>>,
    target: Target,
    request: Request<Body>,
) -> Result<Response<Body>, Problem> {
    let asked: AttestationRequest = body::json(request, api.body_limit()).await?;
    let (attest, rules) = (asked.attest()?, target.rules.as_ref());
    let of = rules.map(ToString::to_string);
    tracing::info!(wave.id = %target.wave, rules = of, name = attest.name, by = attest.by, "attested");
    let published = api.gates.attest(&target.wave, rules, attest).await?;
    Ok(api.answer(&HeaderMap::new(), &published))
}

/// A person calls a gate off.
pub(crate) async fn cancel<G: Gates>(
    State(api): State<Api<G>>,
    target: Target,
    request: Request<Body>,
) -> Result<Response<Body>, Problem> {
    let asked: CancelRequest = body::json(request, api.body_limit()).await?;
    api.say(&target, asked.word()?).await
}

impl<G> Api<G> {
    /// A body may take half of a request's time, so that the engine has the other half.
    pub(crate) fn body_limit(&self) -> Duration {
        self.shared.settings.request_timeout / 2
    }
}

impl<G: Gates> Api<G> {
    async fn say(&self, target: &Target, word: Word) -> Result<Response<Body>, Problem> {
        let rules = target.rules.as_ref();
        let (of, verdict) = (rules.map(ToString::to_string), word.verdict.map(wire::verdict));
        tracing::info!(wave.id = %target.wave, rules = of, verdict, by = word.by, "a person's word");
        let published = self.gates.word(&target.wave, rules, word).await?;
        Ok(self.answer(&HeaderMap::new(), &published))
    }
}
