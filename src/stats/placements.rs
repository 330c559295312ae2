//! How sure the chance is that a canary value exceeds a baseline value (AUC), when the two
//! cohorts may spread differently.
//!
//! A value's placement is the share of the other cohort that lies below it, ties half. The
//! variances of the placements give that of their common mean without a shape, nor that the
//! shapes are alike (`DeLong` 1988; Brunner, Munzel 2000, who compare it with Student's t by
//! Satterthwaite's degrees of freedom). Dependence in time is not in it: that takes an
//! inflation ([`crate::stats::two_sample_inflation`]).

use crate::stats::interval::Interval;
use crate::stats::normal::normal_upper_inverse;
use crate::stats::sorted::SortedCohorts;

/// The placements of both cohorts, in short.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Placements {
    /// The chance that a canary value is larger than a baseline value, ties half.
    pub auc: f64,
    /// The variance of that estimate; 0 where the cohorts do not overlap or all is tied.
    pub variance: f64,
    /// Satterthwaite's degrees of freedom of the variance; the fewest there can be where it
    /// is 0.
    pub nu: f64,
    pairs: f64,
}

impl Placements {
    /// Brunner's and Munzel's statistic: the AUC above one half in standard errors; infinite
    /// where the cohorts do not overlap. Liberal for fewer than ten values a cohort.
    pub fn t(&self) -> f64 {
        let above = self.auc - 0.5;
        if above.abs() <= 0.0 { 0.0 } else { above / self.variance.sqrt() }
    }

    /// The AUC between bounds at the one-sided `tail_level` on the scale of log odds, its
    /// variance times `inflation` (at least 1). An AUC of 0 or 1 is taken half a pair from
    /// there, and no variance for less than that of as many independent pairs.
    pub fn interval(&self, tail_level: f64, inflation: f64) -> Interval {
        let edge = 0.5 / self.pairs;
        let auc = self.auc.clamp(edge, 1.0 - edge);
        let spread = auc * (1.0 - auc);
        let variance = self.variance.max(spread / self.pairs) * inflation.max(1.0);
        let reach = normal_upper_inverse(tail_level) * variance.sqrt() / spread;
        let reach = if reach.is_nan() { f64::INFINITY } else { reach };
        let centre = (auc / (1.0 - auc)).ln();
        let chance = |log_odds: f64| 1.0 / (1.0 + (-log_odds).exp());
        Interval { estimate: self.auc, low: chance(centre - reach), high: chance(centre + reach) }
    }
}

impl SortedCohorts {
    /// `None` where a cohort has fewer than two values. Time `O(m + n)`, no allocation.
    #[expect(clippy::cast_precision_loss, reason = "sums of squared ranks need their leading digits only")]
    pub fn placements(&self) -> Option<Placements> {
        let (m, n) = (self.canary().len(), self.baseline().len());
        if m < 2 || n < 2 {
            return None;
        }
        let (mut canary, mut baseline) = (Squares::default(), Squares::default());
        self.for_each_value(|canary_below, baseline_below, in_canary, in_baseline| {
            canary.add(2 * baseline_below + in_baseline, in_canary);
            baseline.add(2 * canary_below + in_canary, in_baseline);
        });
        let pairs = m as f64 * n as f64;
        // The placements are doubled and not yet shares: 2n P and 2m Q.
        let own = canary.variance(m) / (4.0 * (n as f64).powi(2)) / m as f64;
        let other = baseline.variance(n) / (4.0 * (m as f64).powi(2)) / n as f64;
        let variance = own + other;
        let nu = variance * variance / (own * own / (m - 1) as f64 + other * other / (n - 1) as f64);
        let nu = if nu.is_finite() { nu } else { (m.min(n) - 1) as f64 };
        Some(Placements { auc: canary.sum as f64 / (2.0 * pairs), variance, nu, pairs })
    }

    /// [`Placements::interval`] of what is loaded; `None` where a cohort has fewer than two
    /// values.
    pub fn auc_interval(&self, tail_level: f64, inflation: f64) -> Option<Interval> {
        Some(self.placements()?.interval(tail_level, inflation))
    }
}

/// Exact sums of whole numbers.
#[derive(Default)]
struct Squares {
    sum: u128,
    squares: u128,
}

impl Squares {
    fn add(&mut self, value: usize, times: usize) {
        let (value, times) = (value as u128, times as u128);
        self.sum += value * times;
        self.squares += value * value * times;
    }

    /// Of `count` values, about their own mean.
    #[expect(clippy::cast_precision_loss, reason = "the difference is exact before it is rounded")]
    fn variance(&self, count: usize) -> f64 {
        let all = count as u128;
        (all * self.squares - self.sum * self.sum) as f64 / (all * (all - 1)) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_agrees_with_brunner_munzels_statistic() {
        // By scipy: the variance is ((auc − ½)/W)² of `brunnermunzel`, the rest written out.
        let canary = [1.0, 8.0, 2.0, 2.0, 5.0, 2.0, 1.0, 4.0, 8.0, 2.0, 5.0, 6.0];
        let baseline = [1.0, 0.0, 2.0, 2.0, 7.0, 7.0, 3.0, 0.0, 0.0];
        let sorted = SortedCohorts::new(&canary, &baseline).unwrap();
        for (level, inflation, low, high) in [
            (0.025, 1.0, 0.398_649_968_783_963_5, 0.867_762_232_279_921_4),
            (0.005, 2.5, 0.161_560_022_150_617_68, 0.957_584_050_012_836_6),
        ] {
            let interval = sorted.auc_interval(level, inflation).unwrap();
            assert!((interval.estimate - 0.675_925_925_925_925_9).abs() < 1e-12, "{interval:?}");
            assert!((interval.low - low).abs() < 1e-12 && (interval.high - high).abs() < 1e-12, "{interval:?}");
        }
    }

    #[test]
    fn swapped_cohorts_mirror() {
        let (a, b) = ([1.0, 3.0, 4.0, 4.0], [0.0, 3.0, 5.0, 2.0, 2.0]);
        let forth = SortedCohorts::new(&a, &b).unwrap().auc_interval(0.05, 1.5).unwrap();
        let back = SortedCohorts::new(&b, &a).unwrap().auc_interval(0.05, 1.5).unwrap();
        assert!((forth.low + back.high - 1.0).abs() < 1e-12 && (forth.high + back.low - 1.0).abs() < 1e-12);
    }

    #[test]
    fn cohorts_apart_or_alike_have_an_interval_still() {
        let apart = SortedCohorts::new(&[5.0, 6.0, 7.0], &[1.0, 2.0, 3.0, 4.0]).unwrap();
        let placements = apart.placements().unwrap();
        assert!(placements.t().is_infinite() && placements.nu >= 2.0);
        let interval = placements.interval(0.025, 1.0);
        assert!(interval.low > 0.5 && interval.low < 0.9 && interval.high < 1.0, "{interval:?}");
        let alike = SortedCohorts::new(&[1.0; 5], &[1.0; 6]).unwrap();
        let interval = alike.auc_interval(0.025, 1.0).unwrap();
        assert!(interval.low < 0.5 && interval.high > 0.5 && alike.placements().unwrap().t().abs() <= 0.0);
    }

    #[test]
    fn what_says_nothing_has_no_bounds() {
        assert_eq!(SortedCohorts::new(&[1.0], &[1.0, 2.0]).unwrap().auc_interval(0.05, 1.0), None);
        assert_eq!(SortedCohorts::default().placements(), None);
        let sorted = SortedCohorts::new(&[1.0, 2.0], &[1.5, 3.0]).unwrap();
        for (level, inflation) in [(0.0, 1.0), (f64::NAN, 1.0), (0.05, f64::INFINITY)] {
            let interval = sorted.auc_interval(level, inflation).unwrap();
            assert!(interval.low <= 0.0 && interval.high >= 1.0, "{interval:?}");
        }
        assert!(sorted.auc_interval(0.05, f64::NAN).unwrap().low > 0.0);
    }
}
