//! SLOs: how fast services burn their error budgets, what is left, and what waves spent.
//!
//! Made of an account when somebody asks: an account changes once in a slice, its
//! documents take well under a millisecond, and a tag over the bytes saves the rest.

use crate::engine::AccountView;
use crate::engine::HISTORY_POINTS;
use crate::http::Api;
use crate::http::Gates;
use crate::http::conditional;
use crate::http::problem::Problem;
use crate::judge::BurnState;
use crate::report;
use crate::rules::SloName;
use crate::series::Timestamp;
use crate::telemetry::Metrics;
use crate::telemetry::SloStands;
use crate::wire;
use axum::body::Body;
use axum::extract::Query;
use axum::extract::RawPathParams;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::Response;
use axum::http::StatusCode;
use axum::http::Uri;
use serde::Deserialize;
use std::sync::Arc;

/// Points of an SLO's past when nobody says how many: a line of a terminal.
const DEFAULT_POINTS: u32 = 60;
/// Names in a problem document: enough to see a slip of the pen.
const MAX_NAMES: usize = 32;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Parameters {
    history: Option<u32>,
}

/// Every SLO in force, by name.
pub(crate) async fn list<G: Gates>(State(api): State<Api<G>>, headers: HeaderMap) -> Response<Body> {
    let accounts = api.gates.accounts();
    let views: Vec<_> = accounts.iter().map(|account| account.shown()).collect();
    conditional::tagged(&headers, wire::slos_document(&views), conditional::REVALIDATE)
}

/// One SLO with everything.
pub(crate) async fn one<G: Gates>(
    State(api): State<Api<G>>,
    names: RawPathParams,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response<Body>, Problem> {
    let points = points(&uri)?;
    let name = names.iter().find(|(name, _)| *name == "slo").map_or("", |(_, value)| value);
    let account = SloName::new(name).and_then(|name| api.gates.account(&name)).ok_or_else(|| {
        let known = api.gates.accounts();
        let mut listed: Vec<&str> = known.iter().take(MAX_NAMES).map(|account| account.slo.name.as_str()).collect();
        if listed.len() < known.len() {
            listed.push("…");
        }
        let detail = format!("there is no SLO `{}`; in force are: {}", report::cell(name), listed.join(", "));
        Problem::new(StatusCode::NOT_FOUND, "no_such_slo", detail)
    })?;
    let points = usize::try_from(points).unwrap_or(usize::MAX);
    Ok(conditional::tagged(&headers, wire::slo_document(&account.shown(), points), conditional::REVALIDATE))
}

/// Puts how `accounts` stand into `metrics`.
pub(crate) fn count(accounts: &[Arc<AccountView>], metrics: &Metrics) {
    let states = BurnState::WORDS.map(|(_, word)| word);
    let of = |account: &AccountView| -> Vec<(String, Option<f64>)> {
        account.burn.windows.iter().map(|window| (wire::length(window.span.length), window.burn)).collect()
    };
    let windows: Vec<_> = accounts.iter().map(|account| of(account)).collect();
    let stands = accounts.iter().zip(&windows).map(|(account, windows)| SloStands {
        slo: account.slo.name.as_str(),
        state: account.burn.state.word(),
        states: &states,
        windows,
        remaining: account.burn.period.remaining,
        spent_by_waves: account.spent.as_ref().and_then(|spent| spent.share),
        through: account.through().map(seconds),
        samples_fetched: account.upkeep.samples_fetched,
    });
    metrics.slos_stand(&stands.collect::<Vec<_>>());
}

fn seconds(at: Timestamp) -> f64 {
    at.since(Timestamp::from_millis(0)).as_secs_f64()
}

fn points(uri: &Uri) -> Result<u32, Problem> {
    let Query(parameters) =
        Query::<Parameters>::try_from_uri(uri).map_err(|error| Problem::parameter("history", error.body_text()))?;
    let points = parameters.history.unwrap_or(DEFAULT_POINTS);
    if points > HISTORY_POINTS {
        return Err(Problem::parameter("history", format!("must be 0 to {HISTORY_POINTS} points")));
    }
    Ok(points)
}
