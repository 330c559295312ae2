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
use crate::sources::probe::shown;
use crate::telemetry::Metrics;
use reqwest::Url;
use std::sync::Arc;
use tokio::time::MissedTickBehavior;

/// A baseline that gave no answer so many times in a row is not there to be compared
/// with. One time alone is a failure of its own: were each left out, the canary alone
/// would have failures.
const BASELINE_GONE: u32 = 3;

/// One probe with what a round of it needs.
pub(super) struct Round {
    probe: Probe,
    client: reqwest::Client,
    canary: Counts,
    baseline: Counts,
    memory: Shared,
    now: Now,
    metrics: Arc<Metrics>,
    /// Who was begun first in the last round.
    canary_first: bool,
    /// Rounds in a row to which the baseline gave no answer.
    baseline_silent: u32,
    /// The last round was a gap.
    is_gap: bool,
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
            let (canary, baseline) = (shown(&probe.canary), shown(&probe.baseline));
            tracing::info!(canary, baseline, "a probe ends: nobody wants it any more");
            break;
        }
        round.make(&canary, &baseline).await;
    }
}

impl Round {
    pub(super) fn new(probe: Probe, client: reqwest::Client, memory: Shared, now: Now, metrics: Arc<Metrics>) -> Self {
        let canary = Counts::new(&probe, &probe.canary);
        let baseline = Counts::new(&probe, &probe.baseline);
        Self {
            probe,
            client,
            canary,
            baseline,
            memory,
            now,
            metrics,
            canary_first: false,
            baseline_silent: 0,
            is_gap: false,
        }
    }

    /// Requests both at the same moment, whose time both samples bear.
    async fn make(&mut self, canary: &Url, baseline: &Url) {
        let (at, timeout) = ((self.now)(), self.probe.timeout);
        // Who is begun first waits while the other is begun. That is a tenth of a
        // millisecond, and were it always the canary, a rank test would find it.
        self.canary_first = !self.canary_first;
        let (first, second) = if self.canary_first { (canary, baseline) } else { (baseline, canary) };
        let (first, second) =
            tokio::join!(request(&self.client, first, timeout), request(&self.client, second, timeout));
        let (canary, baseline) = if self.canary_first { (first, second) } else { (second, first) };
        for ended in [&canary, &baseline] {
            self.metrics.probed(ended.word());
        }
        let is_silent = matches!(baseline.how, How::NoAnswer(_));
        self.baseline_silent = if is_silent { self.baseline_silent.saturating_add(1) } else { 0 };
        let outcome = if let Some(why) = self.gap(&canary, &baseline) {
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

    /// Why a round says nothing about the canary, where it does not.
    fn gap(&self, canary: &Ended, baseline: &Ended) -> Option<String> {
        match (&canary.how, &baseline.how) {
            (How::NoAnswer(canary), How::NoAnswer(baseline)) => {
                Some(format!("no answer from the canary: {canary}; nor from the baseline: {baseline}"))
            }
            (_, How::NoAnswer(baseline)) if BASELINE_GONE <= self.baseline_silent => {
                Some(format!("no answer from the baseline, again and again: {baseline}"))
            }
            _ => None,
        }
    }

    /// Logs that gaps begin, or that they are over.
    fn tell(&mut self, gap: Option<&String>) {
        let (canary, baseline) = (shown(&self.probe.canary), shown(&self.probe.baseline));
        match (self.is_gap, gap) {
            (false, Some(why)) => tracing::warn!(canary, baseline, %why, "a probe compares nothing"),
            (true, None) => tracing::info!(canary, baseline, "a probe compares again"),
            (false, None) | (true, Some(_)) => {}
        }
        self.is_gap = gap.is_some();
    }
}
