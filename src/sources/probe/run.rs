//! The task of one probe.

use crate::rules::Probe;
use crate::sources::memory::Now;
use crate::sources::memory::Read;
use crate::sources::memory::Shared;
use crate::sources::probe::Wanted;
use crate::sources::probe::counts::Counts;
use crate::sources::probe::is_over;
use crate::sources::probe::request::Ended;
use crate::sources::probe::request::How;
use crate::sources::probe::request::request;
use crate::telemetry::Metrics;
use reqwest::Url;
use std::sync::Arc;
use tokio::time::MissedTickBehavior;

/// One probe with what a round of it needs.
pub(super) struct Round {
    probe: Probe,
    client: reqwest::Client,
    canary: Counts,
    baseline: Counts,
    memory: Shared,
    now: Now,
    metrics: Arc<Metrics>,
    /// Nobody answered in the last round.
    is_silent: bool,
}

/// Requests both URLs every so often until nobody wants it any more.
///
/// A round is over before the next begins, since its timeout is at most their
/// distance: requests never pile up.
pub(super) async fn run(mut round: Round, wanted: Wanted) {
    let probe = round.probe.clone();
    // Rule files have none that are no URLs.
    let (Ok(canary), Ok(baseline)) = (Url::parse(&probe.canary), Url::parse(&probe.baseline)) else { return };
    let mut ticks = tokio::time::interval(probe.every);
    // A round that was missed is a gap; made up for, it would be a lie about when.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        ticks.tick().await;
        if is_over(&wanted, &probe) {
            tracing::info!(canary = probe.canary, baseline = probe.baseline, "a probe ends: nobody wants it any more");
            break;
        }
        round.make(&canary, &baseline).await;
    }
}

impl Round {
    pub(super) fn new(probe: Probe, client: reqwest::Client, memory: Shared, now: Now, metrics: Arc<Metrics>) -> Self {
        let canary = Counts::new(&probe, &probe.canary);
        let baseline = Counts::new(&probe, &probe.baseline);
        Self { probe, client, canary, baseline, memory, now, metrics, is_silent: false }
    }

    /// Requests both at the same moment, whose time both samples bear.
    async fn make(&mut self, canary: &Url, baseline: &Url) {
        let (at, timeout) = ((self.now)(), self.probe.timeout);
        let (canary, baseline) =
            tokio::join!(request(&self.client, canary, timeout), request(&self.client, baseline, timeout));
        for ended in [&canary, &baseline] {
            self.metrics.probed(ended.word());
        }
        let outcome = if let Some(why) = silence(&canary, &baseline) {
            Err(why)
        } else {
            self.canary.add(&canary);
            self.baseline.add(&baseline);
            let samples = self.canary.samples().chain(self.baseline.samples()).collect();
            Ok(Read { samples, ..Read::default() })
        };
        self.tell(outcome.as_ref().err());
        self.memory.lock().take(at, &[], outcome);
    }

    /// Logs that nobody answers, or that somebody does again.
    fn tell(&mut self, silence: Option<&String>) {
        let (canary, baseline) = (&self.probe.canary, &self.probe.baseline);
        match (self.is_silent, silence) {
            (false, Some(why)) => tracing::warn!(canary, baseline, %why, "no URL of a probe answers"),
            (true, None) => tracing::info!(canary, baseline, "a URL of a probe answers again"),
            (false, None) | (true, Some(_)) => {}
        }
        self.is_silent = silence.is_some();
    }
}

/// Why neither answered, where neither did.
fn silence(canary: &Ended, baseline: &Ended) -> Option<String> {
    match (&canary.how, &baseline.how) {
        (How::NoAnswer(canary), How::NoAnswer(baseline)) if canary == baseline => Some(canary.clone()),
        (How::NoAnswer(canary), How::NoAnswer(baseline)) => Some(format!("canary: {canary}; baseline: {baseline}")),
        _ => None,
    }
}
