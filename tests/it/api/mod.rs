//! The API against a made-up engine: every answer, and every bad request's.

mod endpoints;
mod events;
mod requests;
mod server;
mod slos;
mod verdicts;

use axum::body::Body;
use axum::http::HeaderMap;
use axum::http::Request;
use axum::http::StatusCode;
use bytes::Bytes;
use http_body_util::BodyExt as _;
use serde_json::Value;
use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;
use tokio::sync::watch;
use tower::ServiceExt as _;
use wavegate::engine::AccountView;
use wavegate::engine::Attest;
use wavegate::engine::Changes;
use wavegate::engine::Listed;
use wavegate::engine::Open;
use wavegate::engine::Published;
use wavegate::engine::Readiness;
use wavegate::engine::Refusal;
use wavegate::engine::RuleBook;
use wavegate::engine::Shelf;
use wavegate::engine::Word;
use wavegate::http::Access;
use wavegate::http::Api;
use wavegate::http::Gates;
use wavegate::http::Settings;
use wavegate::http::TokenSettings;
use wavegate::rules::RulesName;
use wavegate::rules::SloName;
use wavegate::series::Timestamp;
use wavegate::telemetry::Metrics;
use wavegate::wave::Verdict;
use wavegate::wave::WaveId;

/// 2026-11-22T10:00:00Z, the time of every test here.
const NOW: Timestamp = Timestamp::from_millis(1_795_341_600_000);

/// The engine's place: what is published here is what is answered.
#[derive(Clone)]
struct Fake(Arc<Inner>);

/// A wave, and a gate of it or all.
type Key = (String, Option<String>);

struct Inner {
    published: Mutex<BTreeMap<Key, watch::Sender<Arc<Published>>>>,
    opened: Mutex<Vec<Open>>,
    words: Mutex<Vec<(String, Option<String>, Word)>>,
    attested: Mutex<Vec<(String, Option<String>, Attest)>>,
    behaviour: Mutex<Behaviour>,
    unready: Mutex<Option<String>>,
    /// Notified when a write arrives.
    asked: tokio::sync::Notify,
    changes: Arc<Changes>,
    accounts: Mutex<Vec<Arc<AccountView>>>,
}

impl Default for Fake {
    fn default() -> Self {
        Self(Arc::new(Inner {
            published: Mutex::default(),
            opened: Mutex::default(),
            words: Mutex::default(),
            attested: Mutex::default(),
            behaviour: Mutex::default(),
            unready: Mutex::default(),
            asked: tokio::sync::Notify::new(),
            changes: Arc::new(Changes::new(NOW)),
            accounts: Mutex::default(),
        }))
    }
}

/// What the next writes meet.
#[derive(Clone, Default)]
enum Behaviour {
    #[default]
    Willing,
    Refusing(Refusal),
    Hanging,
    Panicking,
}

/// A document as the engine would publish it.
fn document(wave: &str, revision: u32, verdict: Verdict, settled: bool) -> Published {
    let word = match verdict {
        Verdict::Pass => "pass",
        Verdict::Fail => "fail",
        Verdict::Pause => "pause",
    };
    let state = if settled { "decided" } else { "analyzing" };
    let body = serde_json::json!({
        "wave_id": wave, "verdict": word, "state": state, "healthy": true, "settled": settled,
        "revision": revision, "summary": "…", "gates": [],
    });
    Published {
        body: Bytes::from(body.to_string()),
        etag: format!("\"r{revision}\""),
        verdict,
        settled,
        is_final: settled,
        next_look: (!settled).then_some(NOW + Duration::from_millis(14_200)),
    }
}

impl Fake {
    fn publish(&self, wave: &str, rules: Option<&str>, document: Published) {
        let key = (wave.to_owned(), rules.map(str::to_owned));
        let mut published = self.0.published.lock().expect("not poisoned");
        if rules.is_none() {
            self.0.changes.note(&document.body);
        }
        match published.get(&key) {
            Some(sender) => drop(sender.send_replace(Arc::new(document))),
            None => drop(published.insert(key, watch::Sender::new(Arc::new(document)))),
        }
    }

    fn behave(&self, behaviour: Behaviour) {
        *self.0.behaviour.lock().expect("not poisoned") = behaviour;
    }

    /// Until somebody watches `wave`.
    async fn subscribed(&self, wave: &str) {
        let watched = || {
            let published = self.0.published.lock().expect("not poisoned");
            published.get(&(wave.to_owned(), None)).is_some_and(|sender| sender.receiver_count() > 0)
        };
        while !watched() {
            tokio::task::yield_now().await;
        }
    }

    /// Until nobody watches `wave` any more. Paused time runs while we wait.
    async fn unsubscribed(&self, wave: &str) {
        let watched = || {
            let published = self.0.published.lock().expect("not poisoned");
            published.get(&(wave.to_owned(), None)).is_some_and(|sender| sender.receiver_count() > 0)
        };
        while watched() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Until a write has arrived.
    async fn asked(&self) {
        self.0.asked.notified().await;
    }

    async fn behaviour(&self) -> Result<(), Refusal> {
        self.0.asked.notify_one();
        let behaviour = self.0.behaviour.lock().expect("not poisoned").clone();
        match behaviour {
            Behaviour::Willing => Ok(()),
            Behaviour::Refusing(refusal) => Err(refusal),
            Behaviour::Hanging => std::future::pending().await,
            Behaviour::Panicking => panic!("as a bug would"),
        }
    }
}

impl Gates for Fake {
    async fn open(&self, open: Open) -> Result<Arc<Published>, Refusal> {
        self.behaviour().await?;
        self.0.opened.lock().expect("not poisoned").push(open.clone());
        Ok(Arc::new(document(open.wave.as_str(), 1, Verdict::Pause, false)))
    }

    async fn word(&self, wave: &WaveId, rules: Option<&RulesName>, word: Word) -> Result<Arc<Published>, Refusal> {
        self.behaviour().await?;
        let verdict = word.verdict.unwrap_or(Verdict::Pause);
        self.0.words.lock().expect("not poisoned").push((wave.to_string(), rules.map(ToString::to_string), word));
        Ok(Arc::new(document(wave.as_str(), 18, verdict, true)))
    }

    async fn attest(
        &self,
        wave: &WaveId,
        rules: Option<&RulesName>,
        attest: Attest,
    ) -> Result<Arc<Published>, Refusal> {
        self.behaviour().await?;
        let whose = (wave.to_string(), rules.map(ToString::to_string), attest);
        self.0.attested.lock().expect("not poisoned").push(whose);
        Ok(Arc::new(document(wave.as_str(), 18, Verdict::Pause, false)))
    }

    async fn watch(
        &self,
        wave: &WaveId,
        rules: Option<&RulesName>,
    ) -> Result<watch::Receiver<Arc<Published>>, Refusal> {
        let key = (wave.to_string(), rules.map(ToString::to_string));
        let published = self.0.published.lock().expect("not poisoned");
        let found = published.get(&key).map(watch::Sender::subscribe);
        found.ok_or_else(|| Refusal::NoSuchWave { wave: wave.to_string() })
    }

    async fn archived(
        &self,
        wave: &WaveId,
        rules: &RulesName,
        attempt: u32,
        revision: Option<u32>,
    ) -> Result<Option<String>, Refusal> {
        let known = attempt == 1 && revision.is_none_or(|revision| revision <= 17);
        Ok(known.then(|| format!("{{\"wave_id\":\"{wave}\",\"rules\":\"{rules}\"}}")))
    }

    async fn recording(&self, wave: &WaveId, rules: &RulesName) -> Result<Vec<u8>, Refusal> {
        self.behaviour().await?;
        Ok(format!("{wave}/{rules}").into_bytes())
    }

    fn waves(&self) -> Vec<Listed> {
        let published = self.0.published.lock().expect("not poisoned");
        let waves = published.iter().filter(|((_, rules), _)| rules.is_none());
        let listed = |((wave, _), sender): (&(String, _), &watch::Sender<_>)| Listed {
            wave: WaveId::new(wave).expect("an id"),
            published: Arc::clone(&sender.borrow()),
        };
        waves.map(listed).collect()
    }

    fn changes(&self) -> Arc<Changes> {
        Arc::clone(&self.0.changes)
    }

    fn rules(&self) -> Arc<Shelf> {
        Arc::new(Shelf::new(RuleBook::default(), NOW))
    }

    fn accounts(&self) -> Vec<Arc<AccountView>> {
        self.0.accounts.lock().expect("not poisoned").clone()
    }

    fn account(&self, name: &SloName) -> Option<Arc<AccountView>> {
        self.accounts().into_iter().find(|account| account.slo.name == *name)
    }

    fn readiness(&self) -> Readiness {
        let checks = vec![("store", self.0.unready.lock().expect("not poisoned").clone())];
        Readiness { checks, remarks: Vec::new() }
    }
}

fn settings() -> Settings {
    Settings {
        max_connections: NonZeroUsize::new(64).expect("not zero"),
        max_waiters: 2,
        max_streams: 2,
        header_timeout: Duration::from_secs(5),
        request_timeout: Duration::from_secs(10),
        write_timeout: Duration::from_secs(10),
        drain_timeout: Duration::from_secs(20),
    }
}

/// An API on `listen` with `tokens`, and the metrics it counts in.
fn api_on(fake: &Fake, settings: Settings, listen: &str, tokens: &[TokenSettings]) -> Api<Fake> {
    let access = Access::new(listen.parse().expect("an address"), tokens).expect("safe");
    Api::new(fake.clone(), settings, access, Arc::new(Metrics::new()), || NOW)
}

fn api(fake: &Fake) -> Api<Fake> {
    api_on(fake, settings(), "127.0.0.1:9466", &[])
}

/// What came back.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("text"))
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }

    /// That it is a problem document with this code, and where it says the fault is.
    #[track_caller]
    fn problem(&self, status: u16, code: &str) -> Option<String> {
        let document = self.json();
        assert_eq!(self.status.as_u16(), status, "{document}");
        assert_eq!(self.header("content-type"), Some("application/problem+json"));
        assert_eq!(document["code"], code, "{document}");
        assert_eq!(document["status"], status);
        assert!(document["title"].is_string() && document["detail"].as_str().is_some_and(|detail| !detail.is_empty()));
        document["errors"][0]["pointer"].as_str().map(str::to_owned)
    }
}

async fn send(api: &Api<Fake>, request: Request<Body>) -> Answer {
    let response = api.router().oneshot(request).await.expect("infallible");
    let (parts, body) = response.into_parts();
    let body = body.collect().await.expect("a body").to_bytes();
    Answer { status: parts.status, headers: parts.headers, body }
}

/// A request with headers written as `name: value`.
fn request(method: &str, path: &str, headers: &[&str], body: impl Into<Body>) -> Request<Body> {
    let mut builder = Request::builder().method(method).uri(path);
    for header in headers {
        let (name, value) = header.split_once(": ").expect("name: value");
        builder = builder.header(name, value);
    }
    builder.body(body.into()).expect("a request")
}

async fn get(api: &Api<Fake>, path: &str, headers: &[&str]) -> Answer {
    send(api, request("GET", path, headers, Body::empty())).await
}

async fn send_json(api: &Api<Fake>, method: &str, path: &str, body: &str) -> Answer {
    send(api, request(method, path, &["content-type: application/json"], body.to_owned())).await
}
