//! One value of each cohort an interval.
//!
//! The shift is the Hodges-Lehmann estimate on the logarithms, so that margins
//! are relative, of values paired by their interval (G-1), so that what moves
//! both cohorts alike cancels. Its interval (HL-2) is widened by √VIF of G-4,
//! because neighbouring intervals resemble each other and say less than their
//! number. `test: mann_whitney` fails by the rank test MW-5 instead, which does
//! not pair.

use crate::judge::Cause;
use crate::judge::Sizes;
use crate::judge::Unit;
use crate::judge::check::Finding;
use crate::judge::check::Reading;
use crate::judge::levels::Levels;
use crate::judge::repeated::Repeated;
use crate::judge::repeated::sides;
use crate::rules::GaugeTest;
use crate::rules::Policy;
use crate::rules::Worse;
use crate::series::CheckEvidence;
use crate::series::Measure;
use crate::series::Observed;
use crate::series::Timestamp;
use crate::stats;
use std::time::Duration;

/// Points of each cohort before anything is said (statistics.md §0).
const POINTS_MIN: f64 = 8.0;

/// Half of each difference against its mirror image: the pairwise differences of
/// the two are the Walsh averages, so their median is the paired Hodges-Lehmann
/// estimate. The arms are one sample twice, and `U` varies twice as much as that
/// of two samples: 4 n(n+1)(2n+1)/24 for n²(2n+1)/12.
const PAIRED: f64 = 2.0;

/// What a gauge check remembers: 16 bytes an interval.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct GaugeState {
    policy: Policy,
    test: GaugeTest,
    /// The autocorrelation to expect of neighbouring points.
    prior: stats::Prior,
    canary: Vec<f64>,
    baseline: Vec<f64>,
    /// Points that do not follow their predecessor by one interval.
    gaps: Vec<usize>,
    /// The last interval had nothing that can be used.
    gap: bool,
    /// Fixed at the first look that has points enough.
    scale: Option<Scale>,
}

/// In what a shift is measured.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Scale {
    /// Ratios: every value is positive.
    Log,
    /// Differences, as multiples of this: the baseline's median at the first look.
    Absolute(f64),
}

impl GaugeState {
    pub(crate) fn new(policy: Policy, test: GaugeTest, interval: Duration) -> Self {
        Self {
            policy,
            test,
            prior: stats::Prior::at(interval.as_secs_f64()),
            canary: Vec::new(),
            baseline: Vec::new(),
            gaps: Vec::new(),
            gap: false,
            scale: None,
        }
    }

    /// Takes one interval; false where a cohort showed nothing that can be used.
    pub(crate) fn fold(&mut self, evidence: &CheckEvidence) -> bool {
        let pair = self.pair(evidence);
        if let Some((canary, baseline)) = pair {
            if self.gap && !self.canary.is_empty() {
                self.gaps.push(self.canary.len());
            }
            self.canary.push(canary);
            self.baseline.push(baseline);
        }
        self.gap = pair.is_none();
        pair.is_some()
    }

    /// Notes an interval that must not be used.
    pub(crate) fn skip(&mut self) {
        self.gap = true;
    }

    fn pair(&self, evidence: &CheckEvidence) -> Option<(f64, f64)> {
        let pair = (value(&evidence.canary)?, value(evidence.baseline.as_ref()?)?);
        // A logarithm was chosen at the first look; what has none is missing from now on.
        let fits = self.scale != Some(Scale::Log) || pair.0 > 0.0 && pair.1 > 0.0;
        fits.then_some(pair)
    }

    /// Reads and concludes.
    pub(crate) fn look(&mut self, levels: Levels, at: Timestamp) -> (Reading, Finding) {
        let points = f64::from(u32::try_from(self.canary.len()).unwrap_or(u32::MAX));
        let reading = Reading { n: Sizes { canary: points, baseline: points }, ..Reading::default() };
        if points < POINTS_MIN {
            let few = Cause::TooFewSamples { have: points, need: POINTS_MIN };
            return (reading, Finding::Open(few));
        }
        let scale = *self.scale.get_or_insert_with(|| scale(&self.canary, &self.baseline));
        if scale == Scale::Absolute(0.0) && self.canary.iter().chain(&self.baseline).any(|value| *value != 0.0) {
            return (reading, Finding::Open(Cause::NoScale { canary: stats::median(&self.canary) }));
        }
        self.conclude(scale, levels.over(sides(self.policy.worse)), at, reading)
    }

    fn conclude(&self, scale: Scale, levels: Levels, at: Timestamp, reading: Reading) -> (Reading, Finding) {
        let differences = self.differences(scale);
        let vif = self.inflation(&differences);
        let halves: Vec<f64> = differences.iter().map(|difference| difference / 2.0).collect();
        let mirror: Vec<f64> = halves.iter().map(|half| -half).collect();
        let sorted = stats::SortedCohorts::new(&halves, &mirror);
        let shift = |level| Some(scale.relative(sorted.as_ref()?.hodges_lehmann(level, PAIRED * vif)?));
        let (Some(at_alpha), Some(at_beta)) = (shift(levels.alpha_look), shift(levels.beta_look)) else {
            let few = Cause::TooFewSamples { have: 0.0, need: POINTS_MIN };
            return (reading, Finding::Open(few));
        };
        let repeated = Repeated { at_alpha, at_beta };
        let effect = repeated.effect(self.policy.worse, Unit::RelativeChange);
        let mut reading = Reading {
            effect: Some(effect),
            effective_n: Some(stats::effective_size(differences.len(), vif)),
            details: vec![("vif", vif)],
            ..reading
        };
        let finding = repeated.conclude(&self.policy, 0.0, Unit::RelativeChange, at);
        if self.test == GaugeTest::Default {
            return (reading, finding);
        }
        let finding = match (self.rank_test(scale, levels, &mut reading.details), finding) {
            (Some(tolerance), _) => Finding::Worse(Cause::ShiftAboveTolerance { effect, tolerance, at }),
            (None, Finding::Worse(Cause::ShiftAboveTolerance { tolerance, .. })) => {
                let pass_within = self.policy.pass_within.copysign(tolerance);
                Finding::Open(Cause::NeedsMoreEvidence { effect: Some(effect), pass_within })
            }
            (None, finding) => finding,
        };
        (reading, finding)
    }

    fn differences(&self, scale: Scale) -> Vec<f64> {
        self.canary.iter().zip(&self.baseline).map(|(canary, baseline)| scale.difference(*canary, *baseline)).collect()
    }

    fn inflation(&self, differences: &[f64]) -> f64 {
        let r = stats::lag1(self.track(differences), stats::Fit::Mean, self.prior);
        stats::variance_inflation(r, differences.len())
    }

    fn track<'a>(&'a self, values: &'a [f64]) -> stats::Track<'a> {
        stats::Track { values, gaps: &self.gaps }
    }

    /// MW-5 against the baseline moved by the tolerance: the tolerance that was
    /// exceeded, if one was. The plain p-value of "no change" is shown beside it.
    fn rank_test(&self, scale: Scale, levels: Levels, details: &mut Vec<(&'static str, f64)>) -> Option<f64> {
        if let Some(plain) = stats::mann_whitney(&self.canary, &self.baseline, stats::Tail::TwoSided) {
            details.push(("p_value", plain.p));
        }
        let needed = stats::normal_upper_inverse(levels.alpha_look);
        let tolerance = self.policy.tolerance;
        let (up, down) = (self.policy.worse != Worse::Decrease, self.policy.worse != Worse::Increase);
        let sides = [up.then_some(tolerance), down.then_some(-tolerance)];
        let scores = sides.into_iter().flatten().map(|by| (by, self.rank_score(scale, by)));
        let (by, z) = scores.max_by(|a, b| a.1.total_cmp(&b.1))?;
        details.extend([("z", z), ("z_needed", needed)]);
        (z > needed).then_some(by)
    }

    /// How far the canary's ranks lie beyond a baseline moved `by`, in its direction.
    fn rank_score(&self, scale: Scale, by: f64) -> f64 {
        let moved: Vec<f64> = self.baseline.iter().map(|value| scale.moved(*value, by)).collect();
        let (canary, baseline) = (self.track(&self.canary), self.track(&moved));
        // The test is one-sided towards "larger": for a decrease the cohorts change places.
        let test = if by < 0.0 {
            stats::mann_whitney_adjusted(baseline, canary, self.prior)
        } else {
            stats::mann_whitney_adjusted(canary, baseline, self.prior)
        };
        test.map_or(f64::NEG_INFINITY, |test| test.z_adj)
    }
}

impl Scale {
    fn difference(self, canary: f64, baseline: f64) -> f64 {
        match self {
            Self::Log => (canary / baseline).ln(),
            Self::Absolute(_) => canary - baseline,
        }
    }

    /// A shift on this scale as a relative change.
    fn relative(self, shift: stats::Interval) -> stats::Interval {
        let relative = |shift: f64| match self {
            Self::Log => shift.exp_m1(),
            Self::Absolute(unit) if unit > 0.0 => shift / unit,
            // Only where every value of both cohorts is 0.
            Self::Absolute(_) => shift,
        };
        stats::Interval { estimate: relative(shift.estimate), low: relative(shift.low), high: relative(shift.high) }
    }

    /// A value moved by a relative change.
    fn moved(self, value: f64, by: f64) -> f64 {
        match self {
            Self::Log => value * (1.0 + by),
            Self::Absolute(unit) => value + unit * by,
        }
    }
}

fn scale(canary: &[f64], baseline: &[f64]) -> Scale {
    if canary.iter().chain(baseline).all(|value| *value > 0.0) {
        Scale::Log
    } else {
        Scale::Absolute(stats::median(baseline).abs())
    }
}

fn value(observed: &Observed) -> Option<f64> {
    match &observed.measure {
        Measure::Value(value) => Some(*value),
        Measure::Nothing | Measure::Counts { .. } | Measure::Buckets(_) | Measure::Worst { .. } => None,
    }
}
