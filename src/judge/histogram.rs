//! A histogram of every event's value.
//!
//! Within one interval the events of both cohorts are exchangeable if nothing changed, so
//! each interval is a Mann-Whitney test on its buckets (H-1), the intervals are added up with
//! van Elteren's weights (H-2), and what that is worth the count guard says (H-3): what
//! shifts both cohorts alike from interval to interval cancels, and what shifts one of them
//! for a while is believed to.

use crate::judge::Cause;
use crate::judge::Sizes;
use crate::judge::Unit;
use crate::judge::arrivals::Traffic;
use crate::judge::check::Finding;
use crate::judge::check::Reading;
use crate::judge::check::Sight;
use crate::judge::levels::Levels;
use crate::judge::looks::Looks;
use crate::judge::repeated::Repeated;
use crate::judge::repeated::Scaled;
use crate::judge::repeated::sides;
use crate::judge::repeated::watched;
use crate::judge::spectrum::Spectrum;
use crate::rules::Policy;
use crate::series::Buckets;
use crate::series::CheckEvidence;
use crate::series::Measure;
use crate::series::Observed;
use crate::stats;
use std::time::Duration;

/// The disturbance that a cohort is believed to have (c0 of C-1), of a probability.
pub(crate) const DISTURBANCE: f64 = 0.02;

/// What a histogram check remembers: 12 bytes an interval, and the sum of all buckets.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct HistogramState {
    policy: Policy,
    seconds: f64,
    /// Excess, pairs and variance of each interval, weighted (H-2).
    points: Vec<[f32; 3]>,
    events: Sizes,
    /// Events at or below a finite bound.
    bounded: f64,
    traffic: Traffic,
    spectrum: Spectrum,
}

#[cfg(test)]
crate::judge::footprint::fields!(HistogramState: points, spectrum);

impl HistogramState {
    pub(crate) fn new(policy: Policy, interval: Duration) -> Self {
        Self {
            policy,
            seconds: interval.as_secs_f64(),
            points: Vec::new(),
            events: Sizes::default(),
            bounded: 0.0,
            traffic: Traffic::new(interval),
            spectrum: Spectrum::default(),
        }
    }

    pub(crate) fn prepare(&self, levels: Levels, looks: &mut Looks) {
        looks.fail_bounds(levels.over(sides(self.policy.worse)).alpha);
        looks.pass_bounds(levels.beta);
    }

    /// Takes one interval; false where a cohort showed nothing.
    pub(crate) fn fold(&mut self, evidence: &CheckEvidence) -> bool {
        let Some((canary, baseline)) = comparable(evidence) else { return false };
        self.points.extend(stats::bucket_ranks(canary.counts(), baseline.counts()).map(|ranks| point(&ranks)));
        self.traffic.add(canary.total(), baseline.total());
        self.events.canary += canary.total();
        self.events.baseline += baseline.total();
        self.bounded += below_infinity(canary) + below_infinity(baseline);
        self.spectrum.add(canary, baseline);
        true
    }

    /// Reads and concludes.
    pub(crate) fn look(&self, sight: &mut Sight<'_>) -> Finding {
        let reading = Reading { n: self.events, ..Reading::default() };
        let (have, need) = (u32::try_from(self.points.len()).unwrap_or(u32::MAX), self.policy.min_points);
        let few = Cause::TooFewSamples { have: f64::from(have), need: f64::from(need) };
        if have < need {
            return Finding::open(reading, few);
        }
        let scores: Vec<stats::Score> = self.points.iter().map(|point| score(*point)).collect();
        let Some(guard) = stats::count_guard(&scores, self.seconds, DISTURBANCE) else {
            return Finding { unsure: Some(few.clone()), ..Finding::open(reading, few) };
        };
        let levels = sight.levels.over(sides(self.policy.worse));
        let repeated = Repeated::new(levels, sight, |ln_tail| {
            let share = guard.interval(ln_tail);
            let whole = |excess: f64| (0.5 + excess).clamp(0.0, 1.0);
            stats::Interval { estimate: whole(share.estimate), low: whole(share.low), high: whole(share.high) }
        });
        let Policy { worse, tolerance, pass_within, .. } = self.policy;
        let scale = Scaled { neutral: 0.5, unit: Unit::Probability, worse, tolerance, pass_within };
        let fail = |sign: f64| sign * guard.z_shifted(sign * tolerance);
        let pass = |sign: f64| -sign * guard.z_shifted(sign * pass_within);
        let mut finding = repeated.conclude(&scale, sight, fail, pass);
        let details = [("disturbance", guard.disturbance.sqrt()), ("autocorrelation", guard.autocorrelation)];
        finding.reading = Reading {
            effect: Some(repeated.effect(&scale)),
            effective_n: Some(guard.effective_n),
            details: self.spectrum.details().into_iter().chain(details).collect(),
            ..reading
        };
        finding.unsure = self.unsure(&scores);
        finding
    }

    /// What forbids a PASS at this look.
    fn unsure(&self, scores: &[stats::Score]) -> Option<Cause> {
        let points = stats::recent_points(scores.len());
        let recent = &scores[scores.len() - points.min(scores.len())..];
        let excess: f64 = recent.iter().map(|score| score.excess).sum();
        let pairs: f64 = recent.iter().map(|score| score.exposure).sum();
        let margin = self.policy.pass_within;
        let shifted = watched(self.policy.worse).iter().any(|sign| {
            let each: Vec<f64> = scores.iter().map(|score| sign * score.excess / score.exposure).collect();
            sign * excess > margin * pairs || stats::newest_jump(&each, margin)
        });
        let points = u32::try_from(points).unwrap_or(u32::MAX);
        shifted.then_some(Cause::RecentShift { points }).or_else(|| self.unseen())
    }

    /// Why equal ranks do not show that the cohorts are equal, if they do not.
    fn unseen(&self) -> Option<Cause> {
        // Beyond the largest bound twice as slow is as slow: with most events there nothing shows.
        let all = self.events.canary + self.events.baseline;
        let beyond = Cause::BeyondBuckets { share: 1.0 - self.bounded / all };
        (self.bounded <= 0.5 * all).then_some(beyond).or_else(|| self.traffic.fault())
    }
}

/// The buckets of both cohorts, where they can be compared.
pub(crate) fn comparable(evidence: &CheckEvidence) -> Option<(&Buckets, &Buckets)> {
    let (canary, baseline) = (buckets(Some(&evidence.canary))?, buckets(evidence.baseline.as_ref())?);
    // With `+Inf` for its only bound, which may be all that two layouts share, a histogram
    // finds all events alike.
    (canary.bounds() == baseline.bounds() && canary.bounds().len() > 1).then_some((canary, baseline))
}

#[expect(clippy::cast_possible_truncation, reason = "seven digits of a score are enough")]
fn point(ranks: &stats::BucketRanks) -> [f32; 3] {
    let score = stats::rank_score(ranks, 0.0);
    [score.excess, score.exposure, score.variance].map(|part| part as f32)
}

fn score(point: [f32; 3]) -> stats::Score {
    let [excess, exposure, variance] = point.map(f64::from);
    stats::Score { excess, exposure, variance, leverage: exposure }
}

fn below_infinity(buckets: &Buckets) -> f64 {
    buckets.counts().split_last().map_or(0.0, |(_, bounded)| bounded.iter().sum())
}

fn buckets(observed: Option<&Observed>) -> Option<&Buckets> {
    match &observed?.measure {
        Measure::Buckets(buckets) => Some(buckets),
        Measure::Nothing
        | Measure::Counts { .. }
        | Measure::Value(_)
        | Measure::Rated { .. }
        | Measure::Worst { .. } => None,
    }
}
