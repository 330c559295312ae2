//! Histograms of two cohorts, compared by rank within each interval (H-1, H-2, H-4).
//!
//! All events in a bucket are tied, so the rank sum needs the counts only. Each
//! interval is compared with itself, which cancels what hits both cohorts, and the
//! intervals are added with the weights of van Elteren (1960).

use crate::stats::interval::Interval;
use crate::stats::normal::normal_upper_inverse;

/// H-1: the rank sum of one interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BucketRanks {
    /// Canary events.
    pub canary: f64,
    /// Baseline events.
    pub baseline: f64,
    /// Pairs in which the canary event is larger, ties half, less half of all pairs.
    pub excess: f64,
    /// The variance of `excess` under the null; 0 where all events share a bucket.
    pub variance: f64,
}

impl BucketRanks {
    /// `U`: pairs in which the canary event is larger, ties half.
    pub fn u(&self) -> f64 {
        self.excess + 0.5 * self.canary * self.baseline
    }

    /// The chance that a canary event is larger than a baseline event.
    pub fn auc(&self) -> f64 {
        0.5 + self.excess / (self.canary * self.baseline)
    }

    /// `excess` in standard deviations, without continuity correction; 0 where all
    /// events share a bucket.
    pub fn z(&self) -> f64 {
        standardise(self.excess, self.variance)
    }
}

/// H-1 on the events of each bucket (not cumulative), lowest bucket first.
///
/// `None` where the slices differ in length, a count is negative or not finite,
/// or a cohort has less than one event.
pub fn bucket_ranks(canary: &[f64], baseline: &[f64]) -> Option<BucketRanks> {
    let countable = |counts: &[f64]| counts.iter().all(|count| count.is_finite() && *count >= 0.0);
    if canary.len() != baseline.len() || !countable(canary) || !countable(baseline) {
        return None;
    }
    let (mut canary_below, mut baseline_below) = (0.0, 0.0);
    // Both sums of positive terms only, so that nothing cancels in huge counts.
    let (mut doubled_excess, mut spread) = (0.0, 0.0);
    for (c, b) in canary.iter().zip(baseline) {
        let (below, tied) = (canary_below + baseline_below, c + b);
        doubled_excess += c * baseline_below - b * canary_below;
        // The cubes: N³ - Σ p³ in steps of 3 C p (C + p).
        spread += 3.0 * below * tied * (below + tied);
        canary_below += c;
        baseline_below += b;
    }
    let pooled = canary_below + baseline_below;
    let variance = canary_below * baseline_below / 12.0 * (spread / (pooled * (pooled - 1.0)));
    let usable = canary_below >= 1.0 && baseline_below >= 1.0 && variance.is_finite();
    usable.then_some(BucketRanks {
        canary: canary_below,
        baseline: baseline_below,
        excess: 0.5 * doubled_excess,
        variance,
    })
}

/// H-2: the weighted sums over the intervals of a window.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct BucketScore {
    intervals: u32,
    excess: f64,
    pairs: f64,
    variance: f64,
}

impl BucketScore {
    /// Takes one interval. False, and nothing changes, where [`bucket_ranks`] has no answer.
    pub fn add(&mut self, canary: &[f64], baseline: &[f64]) -> bool {
        let Some(ranks) = bucket_ranks(canary, baseline) else { return false };
        let weight = 1.0 / (ranks.canary + ranks.baseline + 1.0);
        self.intervals = self.intervals.saturating_add(1);
        self.excess += weight * ranks.excess;
        self.pairs += weight * ranks.canary * ranks.baseline;
        self.variance += weight * weight * ranks.variance;
        true
    }

    /// Intervals taken.
    pub fn intervals(&self) -> u32 {
        self.intervals
    }

    /// `T(δ) = Σ w (U - (1/2 + δ) n_c n_b)`.
    pub fn score(&self, delta: f64) -> f64 {
        self.excess - delta * self.pairs
    }

    /// `Σ w² V`.
    pub fn variance(&self) -> f64 {
        self.variance
    }

    /// `T(δ)` in standard deviations of the model. Where all events of every interval
    /// share a bucket, 0 if `T(δ)` is 0 and infinite otherwise.
    pub fn z_model(&self, delta: f64) -> f64 {
        let score = self.score(delta);
        if self.variance > 0.0 || score == 0.0 { standardise(score, self.variance) } else { score * f64::INFINITY }
    }

    /// H-4: the chance that a canary event is larger than a baseline event of its
    /// interval, ties half; `None` before the first interval.
    pub fn theta(&self) -> Option<f64> {
        (self.pairs > 0.0).then(|| (0.5 + self.excess / self.pairs).clamp(0.0, 1.0))
    }

    /// `theta` with bounds at the one-sided `tail_level`, within 0 and 1: the `1/2 + δ`
    /// at which `z_model(δ)` is that level's normal quantile. A point where all events
    /// of every interval share a bucket: nothing distinguishes them.
    pub fn interval(&self, tail_level: f64) -> Option<Interval> {
        let estimate = self.theta()?;
        let z = normal_upper_inverse(tail_level);
        let half = if self.variance > 0.0 { z * self.variance.sqrt() / self.pairs } else { 0.0 };
        let half = if half.is_nan() { f64::INFINITY } else { half };
        Some(Interval { estimate, low: (estimate - half).clamp(0.0, 1.0), high: (estimate + half).clamp(0.0, 1.0) })
    }
}

fn standardise(value: f64, variance: f64) -> f64 {
    if variance > 0.0 { value / variance.sqrt() } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_compared_is_left_out() {
        let mut score = BucketScore::default();
        for (canary, baseline) in [
            (vec![1.0, 2.0], vec![1.0]),
            (vec![0.0, 0.0], vec![1.0, 2.0]),
            (vec![1.0, 2.0], vec![0.5, 0.25]),
            (vec![1.0, -1.0], vec![1.0, 2.0]),
            (vec![1.0, f64::NAN], vec![1.0, 2.0]),
            (vec![], vec![]),
        ] {
            assert!(!score.add(&canary, &baseline), "{canary:?} {baseline:?}");
        }
        assert_eq!(score, BucketScore::default());
        assert_eq!((score.theta(), score.interval(0.05)), (None, None));
        assert!(score.z_model(0.02).abs() < f64::EPSILON);
    }

    #[test]
    fn events_of_one_bucket_are_alike() {
        let mut score = BucketScore::default();
        assert!(score.add(&[0.0, 50.0], &[0.0, 60.0]));
        assert_eq!(score.interval(0.001), Some(Interval { estimate: 0.5, low: 0.5, high: 0.5 }));
        assert!(score.z_model(0.02).is_infinite() && score.z_model(0.02) < 0.0);
        assert!(score.z_model(0.0).abs() < f64::EPSILON);
    }

    #[test]
    fn the_bounds_are_where_the_score_meets_its_quantile() {
        let mut score = BucketScore::default();
        score.add(&[30.0, 40.0, 50.0], &[50.0, 40.0, 30.0]);
        score.add(&[3.0, 4.0, 9.0], &[50.0, 40.0, 30.0]);
        let interval = score.interval(0.025).unwrap();
        assert!((score.z_model(interval.low - 0.5) - 1.959_963_984_540_054).abs() < 1e-9);
        assert!((score.z_model(interval.high - 0.5) + 1.959_963_984_540_054).abs() < 1e-9);
    }

    #[test]
    fn a_thousand_million_events_keep_their_digits() {
        // All but one event share a bucket: V = n_c n_b / 4 exactly.
        let ranks = bucket_ranks(&[5e8, 1.0], &[5e8, 0.0]).unwrap();
        let exact = (5e8 + 1.0) * 5e8 / 4.0;
        assert!((ranks.variance / exact - 1.0).abs() < 1e-12, "{ranks:?}");
        assert!((ranks.excess - 2.5e8).abs() < 1e-3);
    }
}
