//! What stands around every request, outermost first: a panic becomes a problem,
//! the request gets an id and a span, the caller is known, time is limited, the
//! answer is counted.

use crate::http::Api;
use crate::http::Gates;
use crate::http::LIVEZ;
use crate::http::METRICS;
use crate::http::READYZ;
use crate::http::ROUTES;
use crate::http::access::Caller;
use crate::http::problem::Problem;
use crate::http::verdict::MAX_WAIT;
use axum::body::Body;
use axum::extract::MatchedPath;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::HeaderName;
use axum::http::HeaderValue;
use axum::http::Request;
use axum::http::Response;
use axum::http::header::X_CONTENT_TYPE_OPTIONS;
use axum::middleware::Next;
use axum::response::IntoResponse;
use futures_util::FutureExt as _;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::Instant;
use tracing::Instrument as _;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const NOSNIFF: HeaderValue = HeaderValue::from_static("nosniff");

/// The longest request id that is taken over; a longer one is no id.
const MAX_REQUEST_ID: usize = 64;

pub(crate) async fn around<G: Gates>(State(api): State<Api<G>>, request: Request<Body>, next: Next) -> Response<Body> {
    let begun = Instant::now();
    let route = route(&request);
    let id = request_id(&api, request.headers());
    let span = tracing::debug_span!(
        "request",
        method = %request.method(),
        http.route = route,
        request.id = id.to_str().unwrap_or_default(),
        caller = tracing::field::Empty,
    );
    let answered = AssertUnwindSafe(inner(&api, route, request, next)).catch_unwind().instrument(span).await;
    let mut response = answered.unwrap_or_else(|_| {
        tracing::error!(http.route = route, "a request panicked");
        Problem::internal().into_response()
    });
    response.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, NOSNIFF);
    response.headers_mut().insert(REQUEST_ID, id);
    api.shared.metrics.http_answered(route, response.status().as_u16(), begun.elapsed());
    response
}

async fn inner<G: Gates>(api: &Api<G>, route: &'static str, request: Request<Body>, next: Next) -> Response<Body> {
    if let Err(problem) = admit(api, route, request.headers()) {
        return problem.into_response();
    }
    let limit = limit(api.shared.settings.request_timeout, &request);
    match tokio::time::timeout(limit, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Problem::busy("timeout", "the request took too long").into_response(),
    }
}

/// Probes are open, so that a kubelet needs no token; metrics are on loopback.
fn admit<G>(api: &Api<G>, route: &'static str, headers: &HeaderMap) -> Result<(), Problem> {
    let access = &api.shared.access;
    if route == LIVEZ || route == READYZ || (route == METRICS && access.metrics_open()) {
        return Ok(());
    }
    match access.caller(headers) {
        Caller::Anyone => Ok(()),
        Caller::Known(name) => {
            tracing::Span::current().record("caller", name);
            Ok(())
        }
        Caller::Unnamed => Err(Problem::unauthorized(false)),
        Caller::Unknown => Err(Problem::unauthorized(true)),
    }
}

/// A request that waits may take so much longer.
fn limit(timeout: Duration, request: &Request<Body>) -> Duration {
    let waits = request.uri().query().is_some_and(|query| query.contains("wait="));
    if waits { timeout + MAX_WAIT } else { timeout }
}

/// The route's pattern: one of ours, never a path, for it is a label.
fn route(request: &Request<Body>) -> &'static str {
    let matched = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str);
    ROUTES.into_iter().find(|route| *route == matched).unwrap_or("none")
}

/// The caller's id where it is one, else a number.
fn request_id<G>(api: &Api<G>, headers: &HeaderMap) -> HeaderValue {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'-';
    let fits = |id: &&HeaderValue| !id.is_empty() && id.len() <= MAX_REQUEST_ID && id.as_bytes().iter().all(plain);
    match headers.get(REQUEST_ID).filter(fits) {
        Some(id) => id.clone(),
        None => HeaderValue::from(api.shared.requests.fetch_add(1, Ordering::Relaxed)),
    }
}
