//! The API over HTTP: waves and verdicts, probes, metrics.
//!
//! A poll is answered with bytes that were made when the verdict changed: no
//! query, no lock that a writer holds, no JSON. Everything a caller can make
//! large or slow has a limit: connections, headers, bodies, waiting.
//!
//! The engine is reached through [`Gates`] alone, so that every answer of this
//! module can be tested without one.

mod access;
mod body;
mod conditional;
mod endpoints;
mod envelope;
mod events;
mod gates;
mod patient;
mod probes;
mod problem;
mod recording;
mod request;
mod rules;
mod server;
mod settings;
mod slos;
mod target;
mod verdict;
mod waves;

pub use access::Access;
pub use access::Error;
pub use endpoints::EndpointEntry;
pub use endpoints::Endpoints;
pub use gates::Gates;
pub use server::serve;
pub use settings::Settings;
pub use settings::TokenSettings;

use crate::series::Timestamp;
use crate::telemetry::Metrics;
use axum::Router;
use axum::routing::get;
use axum::routing::post;
use axum::routing::put;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

/// Everything that a request needs. Cheap to clone.
#[derive(Clone)]
pub struct Api<G> {
    gates: G,
    endpoints: Endpoints,
    shared: Arc<Shared>,
}

struct Shared {
    settings: Settings,
    access: Access,
    metrics: Arc<Metrics>,
    now: Box<dyn Fn() -> Timestamp + Send + Sync>,
    waiters: Semaphore,
    streams: Arc<Semaphore>,
    drain: CancellationToken,
    requests: AtomicU64,
}

/// Every route; also the bounded set of the metrics' label `route`.
const LIVEZ: &str = "/livez";
const READYZ: &str = "/readyz";
const METRICS: &str = "/metrics";
const EVENTS: &str = "/v1/events";
const WAVES: &str = "/v1/waves";
const WAVE: &str = "/v1/waves/{wave_id}";
const WAVE_VERDICT: &str = "/v1/waves/{wave_id}/verdict";
const WAVE_EVENTS: &str = "/v1/waves/{wave_id}/events";
const WAVE_DECISION: &str = "/v1/waves/{wave_id}/decision";
const WAVE_ATTESTATIONS: &str = "/v1/waves/{wave_id}/attestations";
const WAVE_CANCEL: &str = "/v1/waves/{wave_id}/cancel";
const GATE_VERDICT: &str = "/v1/waves/{wave_id}/gates/{rules}/verdict";
const GATE_DECISION: &str = "/v1/waves/{wave_id}/gates/{rules}/decision";
const GATE_ATTESTATIONS: &str = "/v1/waves/{wave_id}/gates/{rules}/attestations";
const GATE_CANCEL: &str = "/v1/waves/{wave_id}/gates/{rules}/cancel";
const ATTEMPT_VERDICT: &str = "/v1/waves/{wave_id}/gates/{rules}/attempts/{attempt}/verdict";
const REVISION: &str = "/v1/waves/{wave_id}/gates/{rules}/attempts/{attempt}/revisions/{revision}";
const RULES: &str = "/v1/rules";
const RULE_FILE: &str = "/v1/rules/{rules}";
const SLOS: &str = "/v1/slos";
const SLO: &str = "/v1/slos/{slo}";
const RECORDING: &str = "/v1/waves/{wave_id}/gates/{rules}/recording";
const ENDPOINTS: &str = "/v1/endpoints";
const ENDPOINT_DEAD: &str = "/v1/endpoints/{endpoint}/dead";
const ENDPOINT_RESEND: &str = "/v1/endpoints/{endpoint}/resend";
const ENDPOINT_ENABLE: &str = "/v1/endpoints/{endpoint}/enable";
const MESSAGE_RESEND: &str = "/v1/endpoints/{endpoint}/dead/{message_id}/resend";
const ROUTES: [&str; 27] = [
    LIVEZ,
    READYZ,
    METRICS,
    EVENTS,
    WAVES,
    WAVE,
    WAVE_VERDICT,
    WAVE_EVENTS,
    WAVE_DECISION,
    WAVE_ATTESTATIONS,
    WAVE_CANCEL,
    GATE_VERDICT,
    GATE_DECISION,
    GATE_ATTESTATIONS,
    GATE_CANCEL,
    ATTEMPT_VERDICT,
    REVISION,
    RULES,
    RULE_FILE,
    SLOS,
    SLO,
    RECORDING,
    ENDPOINTS,
    ENDPOINT_DEAD,
    ENDPOINT_RESEND,
    ENDPOINT_ENABLE,
    MESSAGE_RESEND,
];

impl<G: Gates> Api<G> {
    /// `now` is wall time, for `Retry-After`.
    pub fn new(
        gates: G,
        settings: Settings,
        access: Access,
        metrics: Arc<Metrics>,
        now: impl Fn() -> Timestamp + Send + Sync + 'static,
    ) -> Self {
        let shared = Shared {
            waiters: Semaphore::new(settings.max_waiters.min(Semaphore::MAX_PERMITS)),
            streams: Arc::new(Semaphore::new(settings.max_streams.min(Semaphore::MAX_PERMITS))),
            settings,
            access,
            metrics,
            now: Box::new(now),
            drain: CancellationToken::new(),
            requests: AtomicU64::new(0),
        };
        Self { gates, endpoints: Endpoints::default(), shared: Arc::new(shared) }
    }

    /// With `endpoints` to be listed and resent to; without, there are none.
    #[must_use]
    pub fn with_endpoints(self, endpoints: Endpoints) -> Self {
        Self { endpoints, ..self }
    }

    /// Every route, with what stands around each: see the `envelope`.
    pub fn router(&self) -> Router {
        Router::new()
            .route(LIVEZ, get(probes::livez))
            .route(READYZ, get(probes::readyz::<G>))
            .route(METRICS, get(probes::metrics::<G>))
            .route(EVENTS, get(events::of_all::<G>))
            .route(WAVES, get(waves::list::<G>))
            .route(WAVE, put(waves::open::<G>).get(verdict::current::<G>))
            .route(WAVE_VERDICT, get(verdict::current::<G>))
            .route(WAVE_EVENTS, get(events::of_wave::<G>))
            .route(WAVE_DECISION, post(waves::decide::<G>))
            .route(WAVE_ATTESTATIONS, post(waves::attest::<G>))
            .route(WAVE_CANCEL, post(waves::cancel::<G>))
            .route(GATE_VERDICT, get(verdict::current::<G>))
            .route(GATE_DECISION, post(waves::decide::<G>))
            .route(GATE_ATTESTATIONS, post(waves::attest::<G>))
            .route(GATE_CANCEL, post(waves::cancel::<G>))
            .route(ATTEMPT_VERDICT, get(verdict::attempt::<G>))
            .route(REVISION, get(verdict::revision::<G>))
            .route(RULES, get(rules::list::<G>))
            .route(RULE_FILE, get(rules::one::<G>))
            .route(SLOS, get(slos::list::<G>))
            .route(SLO, get(slos::one::<G>))
            .route(RECORDING, get(recording::of_gate::<G>))
            .route(ENDPOINTS, get(endpoints::list::<G>))
            .route(ENDPOINT_DEAD, get(endpoints::dead::<G>))
            .route(ENDPOINT_RESEND, post(endpoints::resend::<G>))
            .route(ENDPOINT_ENABLE, post(endpoints::enable::<G>))
            .route(MESSAGE_RESEND, post(endpoints::resend::<G>))
            .fallback(problem::not_found)
            .method_not_allowed_fallback(problem::method_not_allowed)
            .layer(axum::middleware::from_fn_with_state(self.clone(), envelope::around::<G>))
            .with_state(self.clone())
    }
}
