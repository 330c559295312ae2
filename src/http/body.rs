//! Request bodies: JSON of a bounded size that must arrive in time.

use crate::http::problem::Problem;
use crate::wire::pointer_token;
use axum::body::Body;
use axum::body::HttpBody as _;
use axum::http::HeaderMap;
use axum::http::Request;
use axum::http::StatusCode;
use axum::http::header::CONTENT_ENCODING;
use axum::http::header::CONTENT_TYPE;
use axum::http::header::EXPECT;
use http_body_util::BodyExt as _;
use serde::de::DeserializeOwned;
use serde_path_to_error::Path;
use serde_path_to_error::Segment;
use std::fmt::Write as _;
use std::time::Duration;

/// The largest body: a PUT with every field at its limit and 64 rules names is a tenth of it.
pub(crate) const MAX_BODY_BYTES: usize = 256 * 1024;

/// How much of a body that is too large we read and throw away. A client that is
/// still sending does not read our answer: closing early would show it a broken
/// connection in place of the problem.
const MAX_DISCARDED_BYTES: usize = 16 * 1024 * 1024;

/// The body of `request` as JSON, if it arrives within `limit`.
pub(crate) async fn json<T: DeserializeOwned>(request: Request<Body>, limit: Duration) -> Result<T, Problem> {
    let (parts, body) = request.into_parts();
    let late = |_| Problem::new(StatusCode::REQUEST_TIMEOUT, "late_body", "the body did not arrive in time");
    let read = tokio::time::timeout(limit, read(&parts.headers, body)).await.map_err(late)??;
    if !is_json(&parts.headers) {
        let detail = "the body must be JSON, with `content-type: application/json` and no content-encoding";
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", detail));
    }
    parse(&read)
}

async fn read(headers: &HeaderMap, mut body: Body) -> Result<Vec<u8>, Problem> {
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if announced > MAX_BODY_BYTES && (headers.contains_key(EXPECT) || announced > MAX_DISCARDED_BYTES) {
        return Err(too_large());
    }
    let (mut kept, mut seen) = (Vec::new(), 0_usize);
    while let Some(frame) = body.frame().await {
        let unfinished = |_| Problem::new(StatusCode::BAD_REQUEST, "unfinished_body", "the body ended before its end");
        let Ok(bytes) = frame.map_err(unfinished)?.into_data() else {
            continue;
        };
        seen = seen.saturating_add(bytes.len());
        if seen > MAX_DISCARDED_BYTES {
            break;
        }
        if seen <= MAX_BODY_BYTES {
            kept.extend_from_slice(&bytes);
        }
    }
    if seen > MAX_BODY_BYTES { Err(too_large()) } else { Ok(kept) }
}

fn too_large() -> Problem {
    let detail = format!("a body may have {MAX_BODY_BYTES} bytes");
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", detail)
}

fn is_json(headers: &HeaderMap) -> bool {
    let media = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media = media.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let structured = media.starts_with("application/") && media.ends_with("+json");
    (media == "application/json" || structured) && !headers.contains_key(CONTENT_ENCODING)
}

fn parse<T: DeserializeOwned>(text: &[u8]) -> Result<T, Problem> {
    // A list of the right length would be read as an object's fields in order.
    if text.trim_ascii_start().first() != Some(&b'{') {
        return Err(Problem::malformed("", "the body must be a JSON object"));
    }
    let mut reader = serde_json::Deserializer::from_slice(text);
    let read = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let pointer = pointer(error.path());
        (pointer, error.into_inner())
    });
    let read = read.and_then(|value| reader.end().map(|()| value).map_err(|error| (String::new(), error)));
    read.map_err(|(pointer, error)| {
        if error.is_data() {
            Problem::field(pointer, error.to_string())
        } else {
            Problem::malformed(pointer, format!("the body is not JSON: {error}"))
        }
    })
}

/// The path as a JSON pointer (RFC 6901).
fn pointer(path: &Path) -> String {
    let mut pointer = String::new();
    for segment in path {
        match segment {
            Segment::Seq { index } => {
                let _ = write!(pointer, "/{index}");
            }
            Segment::Map { key } => {
                pointer.push('/');
                pointer.push_str(&pointer_token(key));
            }
            Segment::Enum { .. } | Segment::Unknown => {}
        }
    }
    pointer
}
