//! What Kubernetes and Prometheus ask.

use crate::engine::Readiness;
use crate::http::Api;
use crate::http::Gates;
use crate::http::slos;
use crate::telemetry;
use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::StatusCode;
use axum::http::Uri;
use axum::http::header::CACHE_CONTROL;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::response::Response;
use std::fmt::Write as _;

const NO_STORE: (axum::http::HeaderName, HeaderValue) = (CACHE_CONTROL, HeaderValue::from_static("no-store"));

/// The process answers: nothing else, for a restart mends nothing else.
pub(crate) async fn livez() -> Response {
    ([NO_STORE], "ok\n").into_response()
}

/// Whether new work is taken; with `?verbose`, and when not, check by check.
pub(crate) async fn readyz<G: Gates>(State(api): State<Api<G>>, uri: Uri) -> Response {
    let Readiness { mut checks, remarks } = api.gates.readiness();
    let draining = api.shared.drain.is_cancelled().then(|| String::from("connections are being drained"));
    checks.push(("listener", draining));
    let ready = checks.iter().all(|(_, fault)| fault.is_none());
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let verbose =
        uri.query().is_some_and(|query| query.split('&').any(|part| part.split('=').next() == Some("verbose")));
    let mut text = String::new();
    if verbose || !ready {
        for (name, fault) in &checks {
            // As kube-apiserver writes it, for eyes and scripts that know that.
            let _ = match fault {
                None => writeln!(text, "[+]{name} ok"),
                Some(fault) => writeln!(text, "[-]{name} failed: {fault}"),
            };
        }
        for (name, remark) in &remarks {
            let _ = writeln!(text, "[!]{name}: {remark}");
        }
    }
    text.push_str(if ready { "ok\n" } else { "not ready\n" });
    (status, [NO_STORE], text).into_response()
}

/// Our own metrics; what SLOs say is as they stand now, whoever asks.
pub(crate) async fn metrics<G: Gates>(State(api): State<Api<G>>) -> Response {
    slos::count(&api.gates.accounts(), &api.shared.metrics);
    let kind = (CONTENT_TYPE, HeaderValue::from_static(telemetry::CONTENT_TYPE));
    ([kind, NO_STORE], api.shared.metrics.encode()).into_response()
}
