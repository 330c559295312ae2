//! Answers that a caller may already have: strong tags and `If-None-Match`.

use axum::body::Body;
use axum::http::HeaderMap;
use axum::http::HeaderValue;
use axum::http::Response;
use axum::http::StatusCode;
use axum::http::header::CACHE_CONTROL;
use axum::http::header::CONTENT_TYPE;
use axum::http::header::ETAG;
use axum::http::header::IF_NONE_MATCH;
use bytes::Bytes;

/// Ask each time whether it changed.
pub(crate) const REVALIDATE: HeaderValue = HeaderValue::from_static("no-cache");
/// Never ask again: only a revision is such a document.
pub(crate) const FOR_EVER: HeaderValue = HeaderValue::from_static("private, max-age=31536000, immutable");

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Whether the caller asked for something newer than what it has.
pub(crate) fn is_conditional(headers: &HeaderMap) -> bool {
    headers.contains_key(IF_NONE_MATCH)
}

/// Whether the caller has what `etag` names: weak comparison over every tag of
/// every `If-None-Match`, as RFC 9110 §13.1.2 has it.
pub(crate) fn has(headers: &HeaderMap, etag: &str) -> bool {
    headers.get_all(IF_NONE_MATCH).iter().any(|value| value.to_str().is_ok_and(|tags| lists(tags, etag)))
}

/// 304 where the caller has it, else 200 with the document.
pub(crate) fn answer(headers: &HeaderMap, body: Bytes, etag: &str, caching: HeaderValue) -> Response<Body> {
    let known = has(headers, etag);
    let mut response = Response::new(if known { Body::empty() } else { Body::from(body) });
    let fields = response.headers_mut();
    // A tag that is no header value cannot be: were it one, the answer is only less cheap.
    if let Ok(etag) = HeaderValue::from_str(etag) {
        fields.insert(ETAG, etag);
    }
    fields.insert(CACHE_CONTROL, caching);
    if known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    } else {
        response.headers_mut().insert(CONTENT_TYPE, JSON);
    }
    response
}

/// [`answer`] with a tag of its own bytes, for documents that keep none: half of a digest
/// tells them apart as well.
pub(crate) fn tagged(headers: &HeaderMap, document: String, caching: HeaderValue) -> Response<Body> {
    use sha2::Digest as _;
    let digest = sha2::Sha256::digest(&document);
    let half = digest.iter().take(16).fold(0_u128, |tag, byte| tag << 8 | u128::from(*byte));
    answer(headers, Bytes::from(document), &format!("\"{half:032x}\""), caching)
}

/// Whether the list `tags` has `etag`. Tags may hold commas, so it is read quote by quote.
fn lists(tags: &str, etag: &str) -> bool {
    let mut rest = tags.trim();
    if rest == "*" {
        return true;
    }
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let quoted = rest.strip_prefix("W/").unwrap_or(rest);
        let Some(end) = quoted.strip_prefix('"').and_then(|tag| tag.find('"')) else {
            return false;
        };
        // The opening quote, the tag, the closing quote.
        let (tag, after) = quoted.split_at(end + 2);
        if tag == etag {
            return true;
        }
        rest = after;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(tags: &str, expect: bool) {
        assert_eq!(lists(tags, "\"r17\""), expect, "{tags}");
    }

    #[test]
    fn tags_are_compared_weakly_and_one_by_one() {
        check("\"r17\"", true);
        check("W/\"r17\"", true);
        check("*", true);
        check(" \"r16\" , \"r17\"", true);
        check("\"a,b\",W/\"r17\"", true);
        check("\"r16\"", false);
        check("r17", false);
        check("\"r17", false);
        check("\"\"", false);
        check("", false);
        check("\"x\" \"r17\"", true);
        check("\"☠\",\"r17\"", true);
    }
}
