//! What arrived of what was expected.
//!
//! A check that lost its telemetry must not pass on what it saw before, so
//! coverage is asked twice: over the whole window, and over the last five
//! minutes, where a loss shows at once. A cohort that is scraped and serves nobody
//! shows nothing either: [`Traffic`] asks for that.

use crate::judge::Cause;
use crate::judge::Cohort;
use crate::series::Observed;
use std::collections::VecDeque;
use std::time::Duration;

/// How far back "recent" reaches: the time after which Prometheus calls a series stale.
const RECENT: Duration = Duration::from_mins(5);

/// Intervals in a row that a canary may have events in with nobody beside it: whatever it
/// does in them is compared with nothing.
const ALONE_MAX: usize = 4;
/// Of a baseline that often has no event it takes more of them: as many as chance leaves to
/// this at the share of intervals that it had none in before.
const ALONE_CHANCE: f64 = 0.01;

/// The arrivals of one cohort in one check.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Arrivals {
    cohort: Cohort,
    seen: f64,
    expected: f64,
    infinite: u32,
    nan: u32,
    /// Seen and expected of the last intervals, at most [`RECENT`] of them.
    recent: VecDeque<(f64, f64)>,
    recent_full: usize,
}

#[cfg(test)]
crate::judge::footprint::fields!(Arrivals: recent);

impl Arrivals {
    /// Nothing yet, on a grid of `interval`.
    pub(crate) fn new(cohort: Cohort, interval: Duration) -> Self {
        let recent_full = recent_intervals(interval);
        Self { cohort, seen: 0.0, expected: 0.0, infinite: 0, nan: 0, recent: VecDeque::new(), recent_full }
    }

    /// Counts one interval of which `seen` samples could be used.
    pub(crate) fn add(&mut self, observed: &Observed, seen: u32) {
        let (seen, expected) = (f64::from(seen), f64::from(observed.expected.max(1)));
        self.seen += seen;
        self.expected += expected;
        self.infinite = self.infinite.saturating_add(observed.infinite);
        self.nan = self.nan.saturating_add(observed.nan);
        self.recent.push_back((seen, expected));
        if self.recent.len() > self.recent_full {
            self.recent.pop_front();
        }
    }

    /// The share that arrived since the warm-up, in [0, 1]; 0 before anything was expected.
    pub(crate) fn coverage(&self) -> f64 {
        share(self.seen, self.expected)
    }

    /// Why this cohort forbids a PASS, if it does.
    pub(crate) fn fault(&self, need: f64) -> Option<Cause> {
        let cohort = self.cohort;
        if self.seen <= 0.0 {
            return Some(Cause::NoTelemetry { cohort });
        }
        let recent = self.recent_share();
        if recent < need {
            return Some(Cause::LowCoverage { cohort, coverage: recent, need, recent: true, nan: self.nan });
        }
        // In the first minutes one late sample is a large share; `recent_share` forgives
        // it, and while nothing is older than that the whole window is the recent one.
        let grown = self.recent.len() >= self.recent_full;
        if grown && self.coverage() < need {
            return Some(Cause::LowCoverage { cohort, coverage: self.coverage(), need, recent: false, nan: self.nan });
        }
        if self.infinite > 0 {
            return Some(Cause::NonFinite { cohort, count: self.infinite });
        }
        None
    }

    /// The share of the last five minutes. Until five minutes have been seen, one
    /// missing interval is forgiven: it may only be late.
    fn recent_share(&self) -> f64 {
        let seen: f64 = self.recent.iter().map(|(seen, _)| seen).sum();
        let expected: f64 = self.recent.iter().map(|(_, expected)| expected).sum();
        let forgiven = if self.recent.len() < self.recent_full {
            self.recent.iter().map(|(seen, expected)| (expected - seen).max(0.0)).fold(0.0, f64::max)
        } else {
            0.0
        };
        share(seen + forgiven, expected)
    }
}

/// Since when each cohort has had no event. Services have quiet minutes, so an
/// interval without events is not a loss; [`RECENT`] without any is, and so are a few in
/// which the canary alone is busy.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Traffic {
    canary_idle: usize,
    baseline_idle: usize,
    /// Intervals in a row that the canary alone had events in.
    alone: usize,
    /// Intervals that the canary had events in, and those of them that it was alone in.
    busy: f64,
    busy_alone: f64,
    most: usize,
}

impl Traffic {
    /// Nothing yet, on a grid of `interval`.
    pub(crate) fn new(interval: Duration) -> Self {
        Self {
            canary_idle: 0,
            baseline_idle: 0,
            alone: 0,
            busy: 0.0,
            busy_alone: 0.0,
            most: recent_intervals(interval),
        }
    }

    /// Takes the events of one interval; true where both cohorts had some.
    pub(crate) fn add(&mut self, canary: f64, baseline: f64) -> bool {
        let idle = |before: usize, events: f64| if events > 0.0 { 0 } else { before.saturating_add(1) };
        self.canary_idle = idle(self.canary_idle, canary);
        self.baseline_idle = idle(self.baseline_idle, baseline);
        let is_alone = canary > 0.0 && baseline <= 0.0;
        self.alone = if is_alone { self.alone.saturating_add(1) } else { 0 };
        self.busy += if canary > 0.0 { 1.0 } else { 0.0 };
        self.busy_alone += if is_alone { 1.0 } else { 0.0 };
        canary > 0.0 && baseline > 0.0
    }

    /// Why it forbids a PASS, if it does.
    pub(crate) fn fault(&self) -> Option<Cause> {
        let cohort = if self.most <= self.canary_idle {
            Cohort::Canary
        } else if self.most <= self.baseline_idle || self.is_left_alone() {
            Cohort::Baseline
        } else {
            return None;
        };
        Some(Cause::NoTraffic { cohort })
    }

    /// Whether the canary alone has been busy for longer than the baseline's pauses are.
    fn is_left_alone(&self) -> bool {
        let run = f64::from(u32::try_from(self.alone).unwrap_or(u32::MAX));
        let before = share(self.busy_alone - run, self.busy - run);
        ALONE_MAX <= self.alone && before.powf(run) <= ALONE_CHANCE
    }
}

/// The intervals of [`RECENT`], at least one.
fn recent_intervals(interval: Duration) -> usize {
    let full = RECENT.as_millis() / interval.as_millis().max(1);
    usize::try_from(full).unwrap_or(usize::MAX).clamp(1, 300)
}

fn share(seen: f64, expected: f64) -> f64 {
    if expected > 0.0 { (seen / expected).min(1.0) } else { 0.0 }
}
