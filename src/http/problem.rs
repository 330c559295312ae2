//! Every error that leaves the server, as an RFC 9457 problem document.

use crate::engine::Refusal;
use axum::http::HeaderName;
use axum::http::HeaderValue;
use axum::http::Method;
use axum::http::StatusCode;
use axum::http::Uri;
use axum::http::header::CONTENT_TYPE;
use axum::http::header::RETRY_AFTER;
use axum::http::header::WWW_AUTHENTICATE;
use axum::response::IntoResponse;
use axum::response::Response;
use serde::Serialize;

/// Retry after a shutdown: another instance, or this one restarted.
const RETRY_DRAINING: HeaderValue = HeaderValue::from_static("5");
/// Retry where something must get better first: a disk, an open gate.
const RETRY_BUSY: HeaderValue = HeaderValue::from_static("15");

/// What went wrong with one request. Boxed, for most requests have none.
#[derive(Debug)]
pub(crate) struct Problem(Box<Parts>);

#[derive(Debug)]
struct Parts {
    status: StatusCode,
    code: &'static str,
    detail: String,
    errors: Vec<Fault>,
    header: Option<(HeaderName, HeaderValue)>,
}

/// Where in the request, and what.
#[derive(Clone, Debug, Serialize)]
struct Fault {
    #[serde(skip_serializing_if = "Option::is_none")]
    pointer: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameter: Option<&'static str>,
    detail: String,
}

#[derive(Serialize)]
struct Document<'a> {
    r#type: &'static str,
    title: &'a str,
    status: u16,
    detail: &'a str,
    code: &'a str,
    #[serde(skip_serializing_if = "<[Fault]>::is_empty")]
    errors: &'a [Fault],
}

impl Problem {
    pub(crate) fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self(Box::new(Parts { status, code, detail: detail.into(), errors: Vec::new(), header: None }))
    }

    /// 422: the field that JSON pointer `pointer` names cannot be used.
    pub(crate) fn field(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_field", detail).at(pointer)
    }

    /// 400: the body is no JSON, seen at `pointer`.
    pub(crate) fn malformed(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "malformed_json", detail).at(pointer)
    }

    /// 400: the query parameter cannot be used.
    pub(crate) fn parameter(parameter: &'static str, detail: impl Into<String>) -> Self {
        let mut problem = Self::new(StatusCode::BAD_REQUEST, "invalid_parameter", detail);
        let detail = problem.0.detail.clone();
        problem.0.errors.push(Fault { pointer: None, parameter: Some(parameter), detail });
        problem
    }

    /// 503: come back later.
    pub(crate) fn busy(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, code, detail).with(RETRY_AFTER, RETRY_BUSY)
    }

    /// 401, with a challenge that says whether a token was given.
    pub(crate) fn unauthorized(given: bool) -> Self {
        let (detail, challenge) = if given {
            ("the bearer token is not one of ours", "Bearer realm=\"wavegate\", error=\"invalid_token\"")
        } else {
            ("a bearer token is needed", "Bearer realm=\"wavegate\"")
        };
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", detail)
            .with(WWW_AUTHENTICATE, HeaderValue::from_static(challenge))
    }

    /// 500: our fault; the details are in the log.
    pub(crate) fn internal() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "wavegate failed; its log says why")
    }

    fn at(mut self, pointer: impl Into<String>) -> Self {
        let fault = Fault { pointer: Some(pointer.into()), parameter: None, detail: self.0.detail.clone() };
        self.0.errors.push(fault);
        self
    }

    fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.header = Some((name, value));
        self
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Self(parts) = self;
        let document = Document {
            r#type: "about:blank",
            title: parts.status.canonical_reason().unwrap_or("Error"),
            status: parts.status.as_u16(),
            detail: &parts.detail,
            code: parts.code,
            errors: &parts.errors,
        };
        let body = serde_json::to_vec(&document).unwrap_or_default();
        let mut response = (parts.status, body).into_response();
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some((name, value)) = parts.header {
            response.headers_mut().insert(name, value);
        }
        response
    }
}

impl From<Refusal> for Problem {
    /// A refusal with the place in the request that it is about. An unknown rules
    /// name lies at its index; where a single name was given, the caller asks
    /// [`Problem::refused`].
    fn from(refusal: Refusal) -> Self {
        Self::refused(refusal, false)
    }
}

impl Problem {
    /// As `From<Refusal>`; `single` says that `rules` was one name and no list.
    pub(crate) fn refused(refusal: Refusal, single: bool) -> Self {
        let detail = refusal.to_string();
        match refusal {
            Refusal::NoSuchWave { .. } => Self::new(StatusCode::NOT_FOUND, "no_such_wave", detail),
            Refusal::NoSuchGate { .. } => Self::new(StatusCode::NOT_FOUND, "no_such_gate", detail),
            Refusal::Forgotten { .. } => Self::new(StatusCode::GONE, "evidence_not_kept", detail),
            Refusal::UnknownRules { index, .. } => {
                let pointer = if single { String::from("/rules") } else { format!("/rules/{index}") };
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "unknown_rules", detail).at(pointer)
            }
            Refusal::Unusable { pointer, .. } => Self::field(pointer, detail),
            Refusal::Contradiction { pointer, .. } => {
                Self::new(StatusCode::CONFLICT, "contradiction", detail).at(pointer)
            }
            Refusal::Ambiguous { .. } => Self::new(StatusCode::CONFLICT, "ambiguous", detail),
            Refusal::Draining => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "draining", detail).with(RETRY_AFTER, RETRY_DRAINING)
            }
            Refusal::StoreUnavailable { .. } => Self::busy("store_unavailable", detail),
            Refusal::Full { .. } => Self::busy("full", detail),
        }
    }
}

/// No such route.
pub(crate) async fn not_found(uri: Uri) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "no_such_route", format!("there is nothing at {}", uri.path()))
}

/// The route is there, the method is not; the `Allow` header says which are.
pub(crate) async fn method_not_allowed(method: Method, uri: Uri) -> Problem {
    let detail = format!("{method} is not allowed at {}", uri.path());
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail)
}
