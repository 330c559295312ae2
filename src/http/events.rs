//! Server-sent events: a wave's document, or the heads of all, on each change.
//!
//! A stream holds no queue: it reads what is published when its reader has taken
//! what came before, so a slow reader skips to what is true now and costs nothing,
//! and one that reads nothing is cut off by the connection's write timeout. A
//! reader that comes back with `Last-Event-ID` gets what it missed, or is started
//! again where that is not known any more. Nothing here says more than a poll would.

use crate::engine::Changes;
use crate::engine::Listed;
use crate::engine::Published;
use crate::http::Api;
use crate::http::Gates;
use crate::http::problem::Problem;
use crate::http::target::Target;
use crate::wire::Headline;
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::HeaderName;
use axum::http::HeaderValue;
use axum::http::Response;
use axum::http::StatusCode;
use axum::http::header::CACHE_CONTROL;
use axum::http::header::CONTENT_TYPE;
use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream;
use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// A comment after so much silence: proxies cut idle connections off after a minute
/// or half of one, and only writing finds out that a reader is gone.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// When a reader that was cut off should come back, in milliseconds.
const COME_BACK: &str = "retry: 5000\n\n";

/// Heads of the list that go out in one piece.
const TOGETHER: usize = 64;

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// What nginx reads: it would keep events back until a buffer is full.
const BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// The wave's document now, unless the reader has it, and on each change, until it
/// is final. Its tag is the event's id.
pub(crate) async fn of_wave<G: Gates>(
    State(api): State<Api<G>>,
    target: Target,
    headers: HeaderMap,
) -> Result<Response<Body>, Problem> {
    let watched = api.gates.watch(&target.wave, None).await?;
    let seen = last_event(&headers).map(str::to_owned);
    let complete = {
        let now = watched.borrow();
        now.is_final && seen.as_deref() == Some(tag(&now))
    };
    if complete {
        return Ok(nothing_more());
    }
    let line = api.line()?;
    Ok(answer(OfWave { line, watched, seen, over: false }))
}

/// The head of each wave's document on each change; first those of all waves,
/// unless the reader says which change it saw last.
pub(crate) async fn of_all<G: Gates>(State(api): State<Api<G>>, headers: HeaderMap) -> Result<Response<Body>, Problem> {
    let line = api.line()?;
    let changes = api.gates.changes();
    let seen = last_event(&headers).and_then(|id| changes.number(id));
    let (latest, seen) = (changes.latest(), seen.unwrap_or(u64::MAX));
    Ok(answer(OfAll { line, gates: api.gates.clone(), changes, latest, seen, list: None }))
}

impl<G> Api<G> {
    /// A place among the streams.
    fn line(&self) -> Result<Line, Problem> {
        let place = Arc::clone(&self.shared.streams).try_acquire_owned();
        let place = place.map_err(|_| Problem::busy("too_many_streams", "too many callers follow; poll instead"))?;
        Ok(Line { _place: place, drain: self.shared.drain.clone() })
    }
}

/// What gives events, piece by piece.
trait Events: Send + Sized + 'static {
    /// The next piece; `None` at the end.
    fn next(&mut self) -> impl Future<Output = Option<Bytes>> + Send;
}

fn answer(events: impl Events) -> Response<Body> {
    let first = stream::iter([Bytes::from_static(COME_BACK.as_bytes())]);
    let later = stream::unfold(events, async |mut events| events.next().await.map(|piece| (piece, events)));
    let mut response = Response::new(Body::from_stream(first.chain(later).map(Ok::<_, Infallible>)));
    let fields = response.headers_mut();
    fields.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    fields.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    fields.insert(BUFFERING, HeaderValue::from_static("no"));
    response
}

/// 204: a browser that has everything stops coming back.
fn nothing_more() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

/// A stream's place, and what ends it.
struct Line {
    _place: OwnedSemaphorePermit,
    drain: CancellationToken,
}

impl Line {
    /// What `news` brings, a comment where it brings nothing for long, `None` when
    /// the server stops.
    async fn hear(&self, news: impl Future<Output = Option<Bytes>> + Send) -> Option<Bytes> {
        tokio::select! {
            biased;
            () = self.drain.cancelled() => None,
            piece = news => piece,
            () = tokio::time::sleep(HEARTBEAT) => Some(Bytes::from_static(b": still here\n\n")),
        }
    }
}

struct OfWave {
    line: Line,
    watched: watch::Receiver<Arc<Published>>,
    /// The tag of the document that the reader has.
    seen: Option<String>,
    over: bool,
}

impl Events for OfWave {
    async fn next(&mut self) -> Option<Bytes> {
        if self.over {
            return None;
        }
        let Self { line, watched, seen, over } = self;
        let news = async {
            loop {
                let now = Arc::clone(&watched.borrow_and_update());
                if seen.as_deref() != Some(tag(&now)) {
                    *seen = Some(tag(&now).to_owned());
                    *over = now.is_final;
                    return Some(event(seen.as_deref(), "verdict", &now.body));
                }
                // The wave has left the memory: nobody will publish here again.
                watched.changed().await.ok()?;
            }
        };
        line.hear(news).await
    }
}

struct OfAll<G> {
    line: Line,
    gates: G,
    changes: Arc<Changes>,
    latest: watch::Receiver<u64>,
    /// The change that the reader saw last.
    seen: u64,
    /// The list that a reader without a place begins with.
    list: Option<List>,
}

/// The waves at the time of change `at`.
struct List {
    at: u64,
    count: usize,
    waves: std::vec::IntoIter<Listed>,
}

impl<G: Gates> Events for OfAll<G> {
    async fn next(&mut self) -> Option<Bytes> {
        if self.line.drain.is_cancelled() {
            return None;
        }
        if let Some(list) = &mut self.list {
            if let Some(piece) = list.next() {
                return Some(piece);
            }
            let (at, count) = (list.at, list.count);
            self.list = None;
            self.seen = at;
            // Only now is the list complete, so only now is there an id to come back with.
            return Some(event(Some(&self.changes.id(at)), "list", format!("{{\"waves\":{count}}}").as_bytes()));
        }
        let Self { line, changes, latest, seen, .. } = self;
        let mut lost = false;
        let news = async {
            loop {
                latest.borrow_and_update();
                let Some(missed) = changes.after(*seen) else {
                    lost = true;
                    return Some(Bytes::from_static(b": the list follows\n\n"));
                };
                if let Some(last) = missed.last() {
                    *seen = last.number;
                    let events =
                        missed.iter().map(|one| event(Some(&changes.id(one.number)), "verdict", &one.headline));
                    return Some(events.collect::<Vec<_>>().concat().into());
                }
                latest.changed().await.ok()?;
            }
        };
        let piece = line.hear(news).await;
        if lost {
            // The number first: what changes in between is told twice rather than never.
            let at = *self.latest.borrow();
            let waves = self.gates.waves();
            self.list = Some(List { at, count: waves.len(), waves: waves.into_iter() });
        }
        piece
    }
}

impl List {
    /// Some more of its waves; `None` when all were told.
    fn next(&mut self) -> Option<Bytes> {
        let head = |listed: Listed| {
            let headline = Headline::read(&listed.published.body).and_then(|headline| serde_json::to_vec(&headline));
            let headline = headline.inspect_err(|error| tracing::error!(%error, "a published document is not one"));
            headline.map_or_else(|_| Bytes::new(), |headline| event(None, "verdict", &headline))
        };
        let heads: Vec<Bytes> = self.waves.by_ref().take(TOGETHER).map(head).collect();
        (!heads.is_empty()).then(|| heads.concat().into())
    }
}

/// A document's tag without its quotes.
fn tag(published: &Published) -> &str {
    published.etag.trim_matches('"')
}

fn last_event(headers: &HeaderMap) -> Option<&str> {
    headers.get(LAST_EVENT_ID)?.to_str().ok()
}

/// One event. Lines of `data` that end stay lines of `data`, whatever ends them.
fn event(id: Option<&str>, name: &str, data: &[u8]) -> Bytes {
    let mut event = Vec::with_capacity(data.len() + 64);
    if let Some(id) = id.filter(|id| !id.contains(char::is_control)) {
        event.extend_from_slice(format!("id: {id}\n").as_bytes());
    }
    event.extend_from_slice(format!("event: {name}\n").as_bytes());
    for line in data.split(|byte| matches!(byte, b'\n' | b'\r')) {
        event.extend_from_slice(b"data: ");
        event.extend_from_slice(line);
        event.push(b'\n');
    }
    event.push(b'\n');
    event.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(id: Option<&str>, data: &str, expect: &str) {
        assert_eq!(event(id, "verdict", data.as_bytes()), expect);
    }

    #[test]
    fn no_data_can_forge_an_event() {
        check(Some("1.2"), "{}", "id: 1.2\nevent: verdict\ndata: {}\n\n");
        check(None, "a\n\nevent: x", "event: verdict\ndata: a\ndata: \ndata: event: x\n\n");
        check(None, "a\rb", "event: verdict\ndata: a\ndata: b\n\n");
        check(Some("1\n2"), "", "event: verdict\ndata: \n\n");
    }
}
