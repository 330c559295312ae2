//! What the daemon says of itself: logs, traces, metrics.
//!
//! Logs go to stderr, traces to an OpenTelemetry collector where one is named,
//! metrics to whoever asks `/metrics`. None of the three may slow a verdict
//! down: spans wait in a bounded queue and are dropped when it is full, and the
//! flush at the end has a time limit.

mod chain;
mod export;
mod metrics;
mod slos;

pub use chain::Chain;
pub use metrics::CONTENT_TYPE;
pub use metrics::Metrics;
pub use slos::SloStands;

use crate::telemetry::export::Exporter;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::trace::SdkTracerProvider;
use serde::Deserialize;
use std::io::IsTerminal as _;
use std::time::Duration;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// How the flush at the end is limited: a collector that is down must not hold
/// the process, and spans are the least of what a shutdown has to save.
const FLUSH_LIMIT: Duration = Duration::from_secs(3);

/// The section `log` of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogSettings {
    /// How a line looks.
    pub format: LogFormat,
    /// `error`, `warn`, `info`, `debug`, `trace`, or directives such as
    /// `info,wavegate::engine=debug`.
    pub level: String,
}

/// How a line of the log looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people; coloured on a terminal unless `NO_COLOR` is set.
    Text,
    /// One JSON object a line.
    Json,
}

/// Telemetry that could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// `log.level` is not a filter.
    #[error("log.level: `{level}` is neither a level nor a list of directives")]
    Level {
        /// As configured.
        level: String,
        /// What the filter says.
        #[source]
        source: tracing_subscriber::filter::ParseError,
    },
    /// The exporter refused its settings.
    #[error("otlp_endpoint: cannot export to `{endpoint}`")]
    Otlp {
        /// As configured.
        endpoint: String,
        /// What the exporter says.
        #[source]
        source: opentelemetry_otlp::ExporterBuildError,
    },
    /// The HTTP client of the exporter could not be made.
    #[error("cannot make the HTTP client of the trace exporter")]
    Client(#[source] reqwest::Error),
    /// Somebody else set a subscriber.
    #[error("cannot install the log subscriber")]
    Install(#[source] tracing_subscriber::util::TryInitError),
}

/// Keeps the exporter; ask it to [`Guard::flush`] before the process ends.
#[must_use = "spans that were not flushed are lost"]
pub struct Guard {
    provider: Option<SdkTracerProvider>,
}

/// Sets up logs for the whole process, and traces where `otlp_endpoint` is named
/// (`http://collector:4318`; `/v1/traces` is added). Needs a running tokio runtime
/// in the latter case.
pub fn init(log: &LogSettings, otlp_endpoint: Option<&str>) -> Result<Guard, Error> {
    let level = |source| Error::Level { level: log.level.clone(), source };
    let filter = EnvFilter::builder().parse(&log.level).map_err(level)?;
    let provider = otlp_endpoint.map(provider).transpose()?;

    let lines = fmt::layer().with_writer(std::io::stderr);
    let lines = match log.format {
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
        // The layer's own default honours NO_COLOR, so colours are only ever taken away.
        LogFormat::Text if std::io::stderr().is_terminal() => lines.boxed(),
        LogFormat::Text => lines.with_ansi(false).boxed(),
    };
    // Only our own spans: those of the exporter's HTTP client would feed themselves.
    let traces = provider.as_ref().map(|provider| {
        tracing_opentelemetry::layer()
            .with_tracer(provider.tracer("wavegate"))
            .with_filter(filter_fn(|metadata| metadata.target().starts_with("wavegate")))
    });
    tracing_subscriber::registry().with(filter).with(lines).with(traces).try_init().map_err(Error::Install)?;
    Ok(Guard { provider })
}

impl Guard {
    /// Sends what is queued, for at most three seconds.
    pub async fn flush(self) {
        let Some(provider) = self.provider else { return };
        // The exporter's shutdown blocks its thread, which must not be one of ours.
        let flushed = tokio::task::spawn_blocking(move || provider.shutdown_with_timeout(FLUSH_LIMIT));
        match tokio::time::timeout(FLUSH_LIMIT, flushed).await {
            Ok(Ok(Ok(()))) => {}
            Ok(Ok(Err(error))) => tracing::warn!(%error, "the last spans were not exported"),
            Ok(Err(error)) => tracing::warn!(%error, "the last spans were not exported"),
            Err(_) => tracing::warn!("the last spans were not exported in time"),
        }
    }
}

fn provider(endpoint: &str) -> Result<SdkTracerProvider, Error> {
    let exporter = Exporter::new().map_err(Error::Client)?;
    let failed = |source| Error::Otlp { endpoint: endpoint.to_owned(), source };
    exporter.provider(endpoint).map_err(failed)
}
