//! One target and the task that asks it.

use crate::series::Labels;
use crate::sources::memory::Bounds;
use crate::sources::memory::Memory;
use crate::sources::memory::Now;
use crate::sources::memory::Read;
use crate::sources::memory::Shared;
use crate::sources::memory::Words;
use crate::sources::prometheus::off_the_reactor;
use crate::sources::scrape::body;
use crate::sources::scrape::fetch;
use crate::sources::scrape::fetch::Failure;
use crate::sources::scrape::settings::Settings;
use crate::sources::scrape::settings::TargetSettings;
use reqwest::Url;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use tokio::time::MissedTickBehavior;

/// Something that is scraped.
#[derive(Debug)]
pub(super) struct Target {
    /// Scheme, host and path, as logs show it.
    shown: String,
    url: Url,
    labels: Labels,
    interval: Duration,
    timeout: Duration,
    max_bytes: usize,
    max_series: usize,
    /// What is kept of it.
    pub(super) memory: Shared,
}

impl Target {
    /// The target of the source `job`; it is not asked yet.
    pub(super) fn new(job: &str, target: &TargetSettings, settings: &Settings) -> Self {
        let labels = target.labelled(job);
        let bounds = Bounds {
            retention: settings.retention,
            max_series: settings.max_series,
            max_samples: settings.max_samples,
        };
        let words = Words {
            subject: format!("target {}", labels.get("instance").unwrap_or("?")),
            missed: "was not scraped",
            silent: Some("bring it back, or take it out of the source's `targets`"),
            short: "raise the source's `retention` or `max_samples`, or shorten the range",
        };
        let memory = Memory::new(words, labels.clone(), bounds);
        Self {
            shown: target.url.to_string(),
            url: target.address(),
            memory: Shared::new(memory),
            labels,
            interval: settings.interval,
            timeout: settings.timeout(),
            max_bytes: settings.max_bytes,
            max_series: settings.max_series,
        }
    }
}

/// Asks `target` every interval from `phase` on, for ever.
pub(super) async fn run(target: Arc<Target>, client: reqwest::Client, phase: Duration, now: Now) {
    let mut ticks = tokio::time::interval_at(Instant::now() + phase, target.interval);
    // A scrape that was missed is a gap; made up for, it would be a lie about when.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut before = Health::default();
    loop {
        ticks.tick().await;
        let (at, begun) = (now(), Instant::now());
        let outcome = scrape(&target, &client).await;
        let failure = outcome.as_ref().err().map(ToString::to_string);
        let own = [
            ("up", if failure.is_none() { 1.0 } else { 0.0 }),
            ("scrape_duration_seconds", begun.elapsed().as_secs_f64()),
        ];
        let lost = target.memory.lock().take(at, &own, outcome.map_err(|failure| failure.to_string()));
        let lost = (lost.count > 0).then(|| lost.text());
        before = Health { failure, lost }.told(&before, &target.shown);
    }
}

async fn scrape(target: &Arc<Target>, client: &reqwest::Client) -> Result<Read, Failure> {
    let body = fetch::fetch(client, target.url.clone(), target.timeout, target.max_bytes).await?;
    let target = Arc::clone(target);
    off_the_reactor(move || body::read(&body, &target.labels, target.max_series)).await
}

/// How the last scrape went, so that only changes are logged.
#[derive(Debug, Default)]
struct Health {
    failure: Option<String>,
    lost: Option<String>,
}

impl Health {
    fn told(self, before: &Self, target: &str) -> Self {
        match (&before.failure, &self.failure) {
            (None, Some(failure)) => tracing::warn!(target_url = target, %failure, "a target cannot be scraped"),
            (Some(_), None) => tracing::info!(target_url = target, "a target is scraped again"),
            (None, None) | (Some(_), Some(_)) => {}
        }
        match (&before.lost, &self.lost) {
            (None, Some(lost)) => tracing::warn!(target_url = target, %lost, "a target exposes what cannot be read"),
            (Some(_), None) if self.failure.is_none() => {
                tracing::info!(target_url = target, "everything that a target exposes can be read again");
            }
            (None | Some(_), _) => {}
        }
        self
    }
}
