//! Bad events out of all events.
//!
//! FAIL is an e-process (EP-1) on who of both cohorts had each bad event, which
//! may be asked at every interval without paying for it, and the canary's own
//! ratio must be above the floor (EP-2, in the form that may be asked at any
//! time). PASS is an exact binomial tail at `pass_within`, or the canary's ratio
//! under the floor (EP-2b), each at half of the look's risk: without the second
//! way a service without errors could never pass.

use crate::judge::Cause;
use crate::judge::Effect;
use crate::judge::Sizes;
use crate::judge::Unit;
use crate::judge::arrivals::Traffic;
use crate::judge::check::Finding;
use crate::judge::check::Reading;
use crate::judge::levels::Levels;
use crate::judge::repeated::sides;
use crate::rules::Policy;
use crate::rules::Worse;
use crate::series::CheckEvidence;
use crate::series::Measure;
use crate::series::Observed;
use crate::series::Timestamp;
use crate::stats;
use std::time::Duration;

/// Intervals before anything is said: under four there is no telling one burst
/// from a change.
const POINTS_MIN: f64 = 4.0;

/// What a ratio check remembers: sums, however long the wave.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RatioState {
    policy: Policy,
    floor: f64,
    canary: Totals,
    baseline: Totals,
    /// Intervals in which both cohorts had events.
    intervals: f64,
    traffic: Traffic,
    /// The canary against the baseline; watches an increase.
    up: Option<Side>,
    /// The baseline against the canary; watches a decrease.
    down: Option<Side>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Totals {
    bad: f64,
    total: f64,
}

/// One direction, in which "canary" is the cohort that must not be larger.
#[derive(Clone, Debug, PartialEq)]
struct Side {
    worse: stats::RatioEProcess,
    within: stats::RatioTail,
}

/// A direction with the totals of the cohort that must not be larger.
struct Watched<'a> {
    side: &'a Side,
    own: Totals,
    /// The cohorts are swapped.
    mirrored: bool,
}

impl Watched<'_> {
    /// A margin as the effect shows it, which is always canary over baseline.
    fn as_seen(&self, margin: f64) -> f64 {
        if self.mirrored { margin.recip() } else { margin }
    }
}

impl Side {
    fn new(policy: &Policy) -> Self {
        Self { worse: stats::RatioEProcess::above(policy.tolerance), within: stats::RatioTail::new(policy.pass_within) }
    }

    fn add(&mut self, canary: Totals, baseline: Totals) {
        self.worse.update(canary.bad, baseline.bad, canary.total, baseline.total);
        self.within.update(canary.bad, baseline.bad, canary.total, baseline.total);
    }
}

impl RatioState {
    pub(crate) fn new(policy: Policy, floor: f64, interval: Duration) -> Self {
        let up = matches!(policy.worse, Worse::Increase | Worse::Either);
        let down = matches!(policy.worse, Worse::Decrease | Worse::Either);
        Self {
            up: up.then(|| Side::new(&policy)),
            down: down.then(|| Side::new(&policy)),
            policy,
            floor,
            canary: Totals::default(),
            baseline: Totals::default(),
            intervals: 0.0,
            traffic: Traffic::new(interval),
        }
    }

    /// Takes one interval; false where a cohort showed nothing.
    pub(crate) fn fold(&mut self, evidence: &CheckEvidence) -> bool {
        let canary = totals(Some(&evidence.canary));
        let baseline = totals(evidence.baseline.as_ref());
        let (Some(canary), Some(baseline)) = (canary, baseline) else {
            return false;
        };
        if self.traffic.add(canary.total, baseline.total) {
            self.intervals += 1.0;
        }
        self.canary.add(canary);
        self.baseline.add(baseline);
        if let Some(side) = &mut self.up {
            side.add(canary, baseline);
        }
        if let Some(side) = &mut self.down {
            side.add(baseline, canary);
        }
        true
    }

    /// Whether a FAIL stands; may be asked at every interval.
    pub(crate) fn is_worse(&self, levels: Levels) -> bool {
        self.worse_side(levels.over(sides(self.policy.worse))).is_some()
    }

    /// Reads and concludes.
    pub(crate) fn look(&self, levels: Levels, at: Timestamp) -> (Reading, Finding) {
        let levels = levels.over(sides(self.policy.worse));
        let mut reading = self.read(levels);
        let finding = if self.intervals < POINTS_MIN {
            Finding::Open(Cause::TooFewSamples { have: self.intervals, need: POINTS_MIN })
        } else if let (Some(side), Some(effect)) = (self.worse_side(levels), &mut reading.effect) {
            let tolerance = side.as_seen(self.policy.tolerance);
            // What the e-process refused is a lower bound at any look, and often the sharper one.
            if side.mirrored {
                effect.high = effect.high.min(tolerance);
            } else {
                effect.low = effect.low.max(tolerance);
            }
            Finding::Worse(Cause::ShiftAboveTolerance { effect: *effect, tolerance, at })
        } else if let Some(side) = self.sides().find(|side| !self.is_within(side, levels)) {
            let pass_within = side.as_seen(self.policy.pass_within);
            Finding::Open(Cause::NeedsMoreEvidence { effect: reading.effect, pass_within })
        } else {
            self.traffic.fault().map_or(Finding::Within, Finding::Open)
        };
        (reading, finding)
    }

    /// Each watched direction.
    fn sides(&self) -> impl Iterator<Item = Watched<'_>> {
        let up = self.up.iter().map(|side| Watched { side, own: self.canary, mirrored: false });
        up.chain(self.down.iter().map(|side| Watched { side, own: self.baseline, mirrored: true }))
    }

    /// The direction in which a FAIL stands, at levels of one side.
    fn worse_side(&self, levels: Levels) -> Option<Watched<'_>> {
        let needed = -levels.alpha.ln();
        let is_worse = |watched: &Watched<'_>| {
            let Totals { bad, total } = watched.own;
            let above_floor = self.floor <= 0.0 || stats::floor_log_e(bad, total, self.floor) >= needed;
            watched.side.worse.log_e() >= needed && above_floor
        };
        self.sides().find(|watched| POINTS_MIN <= self.intervals && is_worse(watched))
    }

    fn is_within(&self, watched: &Watched<'_>, levels: Levels) -> bool {
        let tail = watched.side.within.ln_p();
        if self.floor <= 0.0 {
            return tail <= levels.beta_look.ln();
        }
        let half = (levels.beta_look / 2.0).ln();
        tail <= half || stats::under_floor_ln_p(watched.own.bad, watched.own.total, self.floor) <= half
    }

    fn read(&self, levels: Levels) -> Reading {
        let log_e = self.sides().map(|watched| watched.side.worse.log_e()).fold(f64::NEG_INFINITY, f64::max);
        let mut details = vec![
            ("bad_canary", self.canary.bad),
            ("bad_baseline", self.baseline.bad),
            ("ratio_canary", self.canary.ratio()),
            ("ratio_baseline", self.baseline.ratio()),
            ("log_e", log_e),
            ("log_e_needed", -levels.alpha.ln()),
        ];
        if self.floor > 0.0 {
            details.push(("floor", self.floor));
        }
        Reading {
            effect: self.effect(levels),
            n: Sizes { canary: self.canary.total, baseline: self.baseline.total },
            effective_n: None,
            details,
        }
    }

    /// The rate ratio and its exact conditional interval; `None` without bad events,
    /// about whose ratio nothing can be said.
    fn effect(&self, levels: Levels) -> Option<Effect> {
        let (canary, baseline) = (self.canary, self.baseline);
        let at = |level| stats::rate_ratio_interval(canary.bad, baseline.bad, canary.total, baseline.total, level);
        let (alpha, beta) = (at(levels.alpha_look)?, at(levels.beta_look)?);
        let (low, high) = match self.policy.worse {
            Worse::Increase => (alpha.low, beta.high),
            Worse::Decrease => (beta.low, alpha.high),
            Worse::Either => (alpha.low, alpha.high),
        };
        Some(Effect { estimate: alpha.estimate, low, high, unit: Unit::RateRatio })
    }
}

impl Totals {
    fn add(&mut self, other: Self) {
        self.bad += other.bad;
        self.total += other.total;
    }

    fn ratio(self) -> f64 {
        if self.total > 0.0 { self.bad / self.total } else { 0.0 }
    }
}

fn totals(observed: Option<&Observed>) -> Option<Totals> {
    match &observed?.measure {
        Measure::Counts { bad, total } => Some(Totals { bad: *bad, total: *total }),
        Measure::Nothing | Measure::Buckets(_) | Measure::Value(_) | Measure::Worst { .. } => None,
    }
}
