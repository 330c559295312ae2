//! One request and what became of it.
//!
//! A body is taken in pieces as they come out of the decompressor and is given
//! up at the limit, so a gzip bomb or an endless body costs the limit and no
//! more. The caller puts one timeout around all of it, which bounds a server
//! that sends a byte a second.

use crate::sources::Asked;
use crate::sources::Error;
use crate::sources::Excess;
use crate::sources::error::excerpt;
use crate::sources::prometheus::decode;
use crate::sources::prometheus::decode::Decoded;
use crate::sources::prometheus::decode::Unread;
use crate::sources::prometheus::matrix::Limits;
use crate::sources::prometheus::retry;
use reqwest::RequestBuilder;
use reqwest::Response;
use reqwest::StatusCode;
use reqwest::header;
use std::error::Error as _;
use std::io;

/// Bytes read of a refusal: its message, and not an error page with its pictures.
const MAX_REFUSAL_BYTES: usize = 16 << 10;

/// Who asks for what, for the messages.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asking<'a> {
    /// The source's name.
    pub(super) source: &'a str,
    /// Scheme, host and path.
    pub(super) host: &'a str,
    /// The PromQL.
    pub(super) query: &'a str,
}

impl Asking<'_> {
    /// The part of every error that says what was asked.
    pub(super) fn asked(self) -> Asked {
        Asked { source: self.source.to_owned(), query: self.query.to_owned() }
    }
}

/// Sends `request` and reads its answer, with no time limit of its own.
pub(super) async fn ask(
    asking: Asking<'_>,
    request: RequestBuilder,
    max_bytes: usize,
    limits: Limits,
) -> Result<Decoded, Error> {
    let mut response = request.send().await.map_err(|cause| unreachable(asking, cause))?;
    if response.status() != StatusCode::OK {
        return Err(refused(asking, response).await);
    }
    let body = whole_body(asking, &mut response, max_bytes).await?;
    if !is_json(&response, &body) {
        return Err(not_json(asking, &response, &body));
    }
    let decoded = off_the_reactor(move || decode::decode(&body, limits)).await;
    decoded.map_err(|unread| match unread {
        Unread::Excess(excess) => Error::TooLarge { asked: asking.asked(), excess },
        Unread::Malformed(cause) => Error::Malformed { asked: asking.asked(), cause },
        Unread::Unsuccessful(message) => {
            Error::Failed { asked: asking.asked(), status: StatusCode::OK.as_u16(), message: excerpt(&message) }
        }
    })
}

/// Runs `work`, which may take long or wait for a disk, where it keeps nobody waiting.
pub(in crate::sources) async fn off_the_reactor<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(failed) => match failed.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // Work is cancelled only while the runtime goes down, and we with it.
            Err(_) => std::future::pending().await,
        },
    }
}

async fn whole_body(asking: Asking<'_>, response: &mut Response, limit: usize) -> Result<Vec<u8>, Error> {
    let mut body = Bounded::new(limit);
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.push(&chunk) => {}
            Ok(Some(_)) => return Err(Error::TooLarge { asked: asking.asked(), excess: Excess::Bytes(limit) }),
            Ok(None) => return Ok(body.into_bytes()),
            Err(cause) => {
                return Err(Error::Interrupted {
                    asked: asking.asked(),
                    bytes: body.bytes.len(),
                    cause: cause.without_url(),
                });
            }
        }
    }
}

/// Bytes that never take more memory than their limit.
pub(in crate::sources) struct Bounded {
    bytes: Vec<u8>,
    limit: usize,
}

impl Bounded {
    /// No bytes yet.
    pub(in crate::sources) fn new(limit: usize) -> Self {
        Self { bytes: Vec::new(), limit }
    }

    /// The bytes.
    pub(in crate::sources) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Appends `chunk`; `false`, and nothing appended, when it does not fit.
    pub(in crate::sources) fn push(&mut self, chunk: &[u8]) -> bool {
        let Some(room) = self.limit.checked_sub(self.bytes.len()).filter(|room| chunk.len() <= *room) else {
            return false;
        };
        if self.bytes.capacity() - self.bytes.len() < chunk.len() {
            // Doubling, as a vector would, but never past the limit.
            self.bytes.reserve_exact(chunk.len().max(self.bytes.len()).min(room));
        }
        self.bytes.extend_from_slice(chunk);
        true
    }
}

/// What a status other than 200 means.
async fn refused(asking: Asking<'_>, mut response: Response) -> Error {
    let status = response.status().as_u16();
    let retry_after = header_text(&response, header::RETRY_AFTER).and_then(retry::parse_retry_after);
    let redirect = response.status().is_redirection().then(|| redirect(&response));
    let message = match redirect {
        Some(message) => message,
        None => refusal(&mut response).await,
    };
    let (asked, host) = (asking.asked(), asking.host.to_owned());
    match status {
        400 => Error::Refused { asked, message },
        401 | 403 => Error::Denied { asked, status, message },
        300..=399 | 404 => Error::NotFound { asked, host, status, message },
        413 | 422 => Error::Execution { asked, status, message },
        429 => Error::Busy { asked, message, retry_after },
        499 | 503 | 504 => Error::GaveUp { asked, status, message, retry_after },
        _ => Error::Failed { asked, status, message },
    }
}

/// The words of a refusal: the API's `error`, else how the body begins.
async fn refusal(response: &mut Response) -> String {
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        let room = MAX_REFUSAL_BYTES - body.len();
        body.extend_from_slice(chunk.get(..room).unwrap_or(&chunk));
        if body.len() == MAX_REFUSAL_BYTES {
            break;
        }
    }
    let said = decode::refusal(&body).unwrap_or_else(|| String::from_utf8_lossy(&body).into_owned());
    let said = excerpt(&said);
    if said.is_empty() { "no message".to_owned() } else { said }
}

/// Where a redirect points, cut to what is safe to show. It is never followed: the
/// credentials of the source belong to its own address alone.
fn redirect(response: &Response) -> String {
    let target = header_text(response, header::LOCATION).and_then(|to| response.url().join(to).ok());
    match target {
        Some(url) => {
            let origin = url.origin().ascii_serialization();
            format!("it redirects to {}", excerpt(&format!("{origin}{}", url.path())))
        }
        None => "it redirects, and does not say where".to_owned(),
    }
}

fn is_json(response: &Response, body: &[u8]) -> bool {
    let kind = header_text(response, header::CONTENT_TYPE).unwrap_or("application/json");
    let kind = kind.split(';').next().unwrap_or_default().trim();
    let looks_it = body.iter().find(|byte| !byte.is_ascii_whitespace()).is_some_and(|first| *first == b'{');
    kind.eq_ignore_ascii_case("application/json") && looks_it
}

fn not_json(asking: Asking<'_>, response: &Response, body: &[u8]) -> Error {
    let kind = header_text(response, header::CONTENT_TYPE).unwrap_or("no content type");
    let begin = body.get(..MAX_REFUSAL_BYTES).unwrap_or(body);
    Error::NotJson {
        asked: asking.asked(),
        status: response.status().as_u16(),
        content_type: excerpt(kind),
        excerpt: excerpt(&String::from_utf8_lossy(begin)),
    }
}

fn header_text(response: &Response, name: header::HeaderName) -> Option<&str> {
    response.headers().get(name).and_then(|value| value.to_str().ok())
}

fn unreachable(asking: Asking<'_>, cause: reqwest::Error) -> Error {
    let (asked, host, cause) = (asking.asked(), asking.host.to_owned(), cause.without_url());
    if is_tls(&cause) { Error::Tls { asked, host, cause } } else { Error::Unreachable { asked, host, cause } }
}

/// Whether TLS is somewhere among the causes. An `io::Error` hides what it wraps
/// from `source`, so it is opened.
fn is_tls(error: &reqwest::Error) -> bool {
    let mut cause = error.source();
    while let Some(inner) = cause {
        if inner.is::<rustls::Error>() {
            return true;
        }
        cause = match inner.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(wrapped) => Some(wrapped),
            None => inner.source(),
        };
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_never_takes_more_memory_than_its_limit() {
        for (limit, chunk) in [(1000, 1), (1000, 7), (1000, 999), (1000, 1000), (4096, 100), (1, 1)] {
            let mut body = Bounded::new(limit);
            while body.push(&vec![b'x'; chunk]) {
                assert!(body.bytes.capacity() <= limit, "{} of {limit}", body.bytes.capacity());
            }
            assert_eq!(body.bytes.len(), limit / chunk * chunk);
        }
    }

    #[test]
    fn a_chunk_above_the_limit_is_not_taken_at_all() {
        let mut body = Bounded::new(10);
        assert!(!body.push(&[0; 11]));
        assert_eq!(body.bytes.capacity(), 0);
    }
}
