//! A histogram of every event's value.
//!
//! Within one interval the events of both cohorts are exchangeable if nothing
//! changed, so each interval is a Mann-Whitney test on its buckets (H-1) and the
//! intervals are added up with van Elteren's weights (H-2): what shifts both
//! cohorts alike from interval to interval cancels.

use crate::judge::Cause;
use crate::judge::Sizes;
use crate::judge::Unit;
use crate::judge::arrivals::Traffic;
use crate::judge::check::Finding;
use crate::judge::check::Reading;
use crate::judge::levels::Levels;
use crate::judge::repeated::Repeated;
use crate::judge::repeated::sides;
use crate::rules::Policy;
use crate::series::Buckets;
use crate::series::CheckEvidence;
use crate::series::Measure;
use crate::series::Observed;
use crate::series::Timestamp;
use crate::stats;
use std::time::Duration;

/// Intervals before anything is said, as for ratios.
const POINTS_MIN: u32 = 4;

/// What a histogram check remembers: sums, however long the wave.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct HistogramState {
    policy: Policy,
    scores: stats::BucketScore,
    events: Sizes,
    /// Events at or below a finite bound.
    bounded: f64,
    traffic: Traffic,
}

impl HistogramState {
    pub(crate) fn new(policy: Policy, interval: Duration) -> Self {
        Self {
            policy,
            scores: stats::BucketScore::default(),
            events: Sizes::default(),
            bounded: 0.0,
            traffic: Traffic::new(interval),
        }
    }

    /// Takes one interval; false where a cohort showed nothing.
    pub(crate) fn fold(&mut self, evidence: &CheckEvidence) -> bool {
        let canary = buckets(Some(&evidence.canary));
        let baseline = buckets(evidence.baseline.as_ref());
        let (Some(canary), Some(baseline)) = (canary, baseline) else {
            return false;
        };
        // With `+Inf` for its only bound, which may be all that two layouts share, a
        // histogram finds all events alike.
        if canary.bounds() != baseline.bounds() || canary.bounds().len() < 2 {
            return false;
        }
        self.scores.add(canary.counts(), baseline.counts());
        self.traffic.add(canary.total(), baseline.total());
        self.events.canary += canary.total();
        self.events.baseline += baseline.total();
        self.bounded += below_infinity(canary) + below_infinity(baseline);
        true
    }

    /// Reads and concludes.
    pub(crate) fn look(&self, levels: Levels, at: Timestamp) -> (Reading, Finding) {
        let reading = Reading { n: self.events, ..Reading::default() };
        let Some(repeated) = self.repeated(levels.over(sides(self.policy.worse))) else {
            let few = Cause::TooFewSamples { have: f64::from(self.scores.intervals()), need: f64::from(POINTS_MIN) };
            return (reading, Finding::Open(few));
        };
        let effect = Some(repeated.effect(self.policy.worse, Unit::Probability));
        let mut finding = repeated.conclude(&self.policy, 0.5, Unit::Probability, at);
        if finding == Finding::Within {
            finding = self.unseen().map_or(Finding::Within, Finding::Open);
        }
        (Reading { effect, ..reading }, finding)
    }

    /// Why equal ranks do not show that the cohorts are equal, if they do not.
    fn unseen(&self) -> Option<Cause> {
        // Beyond the largest bound twice as slow is as slow.
        let nothing = Cause::TooFewSamples { have: 0.0, need: 1.0 };
        (self.bounded <= 0.0).then_some(nothing).or_else(|| self.traffic.fault())
    }

    fn repeated(&self, levels: Levels) -> Option<Repeated> {
        if self.scores.intervals() < POINTS_MIN {
            return None;
        }
        Some(Repeated {
            at_alpha: self.scores.interval(levels.alpha_look)?,
            at_beta: self.scores.interval(levels.beta_look)?,
        })
    }
}

fn below_infinity(buckets: &Buckets) -> f64 {
    buckets.counts().split_last().map_or(0.0, |(_, bounded)| bounded.iter().sum())
}

fn buckets(observed: Option<&Observed>) -> Option<&Buckets> {
    match &observed?.measure {
        Measure::Buckets(buckets) => Some(buckets),
        Measure::Nothing | Measure::Counts { .. } | Measure::Value(_) | Measure::Worst { .. } => None,
    }
}
