//! What a gate was judged by, as a file.

use crate::engine::Refusal;
use crate::http::Api;
use crate::http::Gates;
use crate::http::conditional::REVALIDATE;
use crate::http::problem::Problem;
use crate::http::target::Target;
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::Response;
use axum::http::header::CACHE_CONTROL;
use axum::http::header::CONTENT_TYPE;

/// No `Content-Encoding`: the file itself is compressed, and stays so on disk.
const GZIP: HeaderValue = HeaderValue::from_static("application/gzip");

/// The recording of the latest attempt of a gate.
pub(crate) async fn of_gate<G: Gates>(State(api): State<Api<G>>, target: Target) -> Result<Response<Body>, Problem> {
    let missing = || Refusal::NoSuchGate { wave: target.wave.to_string(), rules: String::new() };
    let rules = target.rules.as_ref().ok_or_else(missing)?;
    let packed = api.gates.recording(&target.wave, rules).await?;
    let mut response = Response::new(Body::from(packed));
    response.headers_mut().insert(CONTENT_TYPE, GZIP);
    response.headers_mut().insert(CACHE_CONTROL, REVALIDATE);
    Ok(response)
}
