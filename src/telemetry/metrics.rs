//! Our own metrics: every name in one place.
//!
//! Labels come from bounded sets (routes, outcomes, the configuration's source
//! names), never from a caller: a wave id as a label would be a leak of memory.

use crate::telemetry::slos::SloStands;
use crate::telemetry::slos::Slos;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;
use std::time::Duration;

/// What [`Metrics::encode`] yields.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// From a poll answered from memory to a long poll of a minute.
const HTTP_BUCKETS: [f64; 12] = [0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 15.0, 61.0];
/// From a local Prometheus to its default query timeout.
const SOURCE_BUCKETS: [f64; 11] = [0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 15.0, 30.0];
/// A look is late by scheduling (milliseconds) or by an outage (hours).
const LAG_BUCKETS: [f64; 10] = [0.01, 0.05, 0.25, 1.0, 5.0, 15.0, 60.0, 300.0, 1800.0, 7200.0];

type Histograms<L> = Family<L, Histogram, fn() -> Histogram>;

/// Every metric of the daemon. Its methods take counts, never a label's value from outside.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    gates: Family<State, Gauge>,
    looks: Family<Ruling, Counter>,
    look_lag: Histogram,
    source_requests: Family<SourceOutcome, Counter>,
    source_seconds: Histograms<Source>,
    probe_requests: Family<Outcome, Counter>,
    http_requests: Family<RouteStatus, Counter>,
    http_seconds: Histograms<Route>,
    commits: Family<Outcome, Counter>,
    rules_loaded: Gauge,
    rules_reloaded: Gauge,
    rules_reloads: Family<ReloadResult, Counter>,
    rules_loaded_at: Gauge,
    discovered: Counter,
    webhook_tries: Family<EndpointOutcome, Counter>,
    webhook_messages: Family<EndpointState, Gauge>,
    slos: Slos,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct State {
    state: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Ruling {
    ruling: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Source {
    source: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SourceOutcome {
    source: String,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Route {
    route: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteStatus {
    route: &'static str,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReloadResult {
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EndpointOutcome {
    endpoint: String,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EndpointState {
    endpoint: String,
    state: &'static str,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// All of them, at zero.
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("wavegate");
        let r = &mut registry;
        let build = Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]);
        r.register("build", "What this binary was built from", build);
        Self {
            gates: add(r, "gates", "Gates in memory by state", Family::default()),
            looks: add(r, "looks", "Looks taken by what they said", Family::default()),
            look_lag: add(
                r,
                "look_lag_seconds",
                "How long after its evidence was due a look was taken",
                Histogram::new(LAG_BUCKETS),
            ),
            source_requests: add(r, "source_requests", "Requests to sources by outcome", Family::default()),
            source_seconds: add(
                r,
                "source_request_seconds",
                "How long sources took to answer",
                Family::new_with_constructor(|| Histogram::new(SOURCE_BUCKETS)),
            ),
            probe_requests: add(r, "probe_requests", "Requests of probes by outcome", Family::default()),
            http_requests: add(r, "http_requests", "HTTP requests answered", Family::default()),
            http_seconds: add(
                r,
                "http_request_seconds",
                "How long answers took, long polls included",
                Family::new_with_constructor(|| Histogram::new(HTTP_BUCKETS)),
            ),
            commits: add(r, "commits", "Transactions of the store by outcome", Family::default()),
            rules_loaded: add(r, "rules_loaded", "Rule files in force", Gauge::default()),
            rules_reloaded: add(
                r,
                "rules_last_reload_successful",
                "1 if the last reload of rules was taken, 0 if it was refused",
                Gauge::default(),
            ),
            rules_reloads: add(r, "rules_reloads", "Reloads of rules by result", Family::default()),
            rules_loaded_at: add(
                r,
                "rules_last_reload_success_timestamp_seconds",
                "When rules were last taken, the start included",
                Gauge::default(),
            ),
            discovered: add(r, "discovered_waves", "Waves that opened by themselves", Counter::default()),
            webhook_tries: add(r, "webhook_tries", "Tries to deliver a message by outcome", Family::default()),
            webhook_messages: add(
                r,
                "webhook_messages",
                "Messages that wait for delivery, and dead ones",
                Family::default(),
            ),
            slos: Slos::register(r),
            registry,
        }
    }

    /// `count` gates stand in `state`.
    pub fn gates(&self, state: &'static str, count: usize) {
        self.gates.get_or_create(&State { state }).set(whole(count));
    }

    /// A look was taken, `lag` after its evidence was due.
    pub fn looked(&self, ruling: &'static str, lag: Duration) {
        self.looks.get_or_create(&Ruling { ruling }).inc();
        self.look_lag.observe(lag.as_secs_f64());
    }

    /// A configured source answered or did not.
    pub fn source_answered(&self, source: &str, outcome: &'static str, took: Duration) {
        let labels = SourceOutcome { source: source.to_owned(), outcome };
        self.source_requests.get_or_create(&labels).inc();
        let labels = Source { source: source.to_owned() };
        self.source_seconds.get_or_create(&labels).observe(took.as_secs_f64());
    }

    /// A probe's request ended: `success`, `failure` or `no_answer`.
    pub fn probed(&self, outcome: &'static str) {
        self.probe_requests.get_or_create(&Outcome { outcome }).inc();
    }

    /// A request was answered; `route` is the route's pattern, never the path.
    pub fn http_answered(&self, route: &'static str, status: u16, took: Duration) {
        self.http_requests.get_or_create(&RouteStatus { route, status }).inc();
        self.http_seconds.get_or_create(&Route { route }).observe(took.as_secs_f64());
    }

    /// A transaction ended: `ok` or why not.
    pub fn committed(&self, outcome: &'static str) {
        self.commits.get_or_create(&Outcome { outcome }).inc();
    }

    /// So many rule files are in force since `seconds` after 1970.
    pub fn rules_loaded(&self, count: usize, seconds: i64) {
        self.rules_reloaded.set(1);
        self.rules_loaded.set(whole(count));
        self.rules_loaded_at.set(seconds);
    }

    /// A reload was taken, or it was refused and the old rules stay.
    pub fn rules_reloaded(&self, taken: bool) {
        let result = if taken { "success" } else { "failure" };
        self.rules_reloads.get_or_create(&ReloadResult { result }).inc();
        self.rules_reloaded.set(i64::from(taken));
    }

    /// A wave was found in a source and opened.
    pub fn wave_discovered(&self) {
        self.discovered.inc();
    }

    /// A message was posted to a configured endpoint, or could not be.
    pub fn webhook_tried(&self, endpoint: &str, outcome: &'static str) {
        let labels = EndpointOutcome { endpoint: endpoint.to_owned(), outcome };
        self.webhook_tries.get_or_create(&labels).inc();
    }

    /// So many messages wait for a configured endpoint, and so many are dead.
    pub fn webhook_messages(&self, endpoint: &str, waiting: u64, dead: u64) {
        for (state, count) in [("waiting", waiting), ("dead", dead)] {
            let labels = EndpointState { endpoint: endpoint.to_owned(), state };
            self.webhook_messages.get_or_create(&labels).set(i64::try_from(count).unwrap_or(i64::MAX));
        }
    }

    /// How every SLO in force stands, whose number is bounded; of others nothing is said any more.
    pub fn slos_stand(&self, slos: &[SloStands<'_>]) {
        self.slos.stand(slos);
    }

    /// Everything as OpenMetrics text, of type [`CONTENT_TYPE`].
    pub fn encode(&self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail; were a metric to, the rest would still stand.
        let _ = prometheus_client::encoding::text::encode(&mut text, &self.registry);
        text
    }
}

pub(super) fn add<M>(registry: &mut Registry, name: &str, help: &str, metric: M) -> M
where
    M: prometheus_client::registry::Metric + Clone,
{
    registry.register(name, help, metric.clone());
    metric
}

fn whole(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_are_promised() {
        let metrics = Metrics::new();
        metrics.gates("analyzing", 3);
        metrics.looked("go_on", Duration::from_millis(20));
        metrics.source_answered("main", "ok", Duration::from_millis(20));
        metrics.probed("no_answer");
        metrics.http_answered("/v1/waves", 200, Duration::from_millis(1));
        metrics.committed("ok");
        metrics.wave_discovered();
        metrics.rules_loaded(3, 1_790_000_000);
        metrics.rules_reloaded(true);
        metrics.rules_reloaded(false);
        metrics.webhook_tried("ci", "delivered");
        metrics.webhook_messages("ci", 2, 1);

        let text = metrics.encode();

        let version = env!("CARGO_PKG_VERSION");
        for line in [
            &format!("wavegate_build_info{{version=\"{version}\"}} 1"),
            "wavegate_gates{state=\"analyzing\"} 3",
            "wavegate_looks_total{ruling=\"go_on\"} 1",
            "wavegate_look_lag_seconds_count 1",
            "wavegate_source_requests_total{source=\"main\",outcome=\"ok\"} 1",
            "wavegate_source_request_seconds_count{source=\"main\"} 1",
            "wavegate_probe_requests_total{outcome=\"no_answer\"} 1",
            "wavegate_http_requests_total{route=\"/v1/waves\",status=\"200\"} 1",
            "wavegate_http_request_seconds_count{route=\"/v1/waves\"} 1",
            "wavegate_commits_total{outcome=\"ok\"} 1",
            "wavegate_rules_loaded 3",
            "wavegate_discovered_waves_total 1",
            "wavegate_rules_last_reload_successful 0",
            "wavegate_rules_reloads_total{result=\"success\"} 1",
            "wavegate_rules_reloads_total{result=\"failure\"} 1",
            "wavegate_rules_last_reload_success_timestamp_seconds 1790000000",
            "wavegate_webhook_tries_total{endpoint=\"ci\",outcome=\"delivered\"} 1",
            "wavegate_webhook_messages{endpoint=\"ci\",state=\"waiting\"} 2",
            "wavegate_webhook_messages{endpoint=\"ci\",state=\"dead\"} 1",
        ] {
            assert!(text.lines().any(|found| found == line), "`{line}` is not in\n{text}");
        }
        assert!(text.ends_with("# EOF\n"));
    }
}
