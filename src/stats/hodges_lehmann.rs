//! The Hodges-Lehmann estimate of a shift and its interval (HL-1, HL-2): the
//! median of all pairwise differences, between two of their order statistics.
//!
//! It is the interval that belongs to Mann-Whitney's test (Hodges, Lehmann 1963;
//! Hollander, Wolfe, Chicken 2014, ch. 4): those shifts which the test does not
//! reject.

use crate::stats::differences::difference_order;
use crate::stats::interval::Interval;
use crate::stats::mann_whitney::RankSum;
use crate::stats::normal::normal_upper_inverse;
use crate::stats::null_distribution::u_probabilities;
use crate::stats::sorted::SortedCohorts;

/// Both arms below this, no ties, no autocorrelation: the rank is exact, as in R.
const EXACT_ARM_BELOW: usize = 50;

/// HL-1 and HL-2: how much larger the canary is than the baseline, each bound at
/// the one-sided `tail_level`, from 0 to 1/2; `vif >= 1` inflates the variance for
/// dependence in time ([`crate::stats::two_sample_inflation`]).
///
/// A bound is infinite where no order statistic reaches the level at these sizes
/// (R gives the extreme difference there, which covers less than it says).
/// `None` where a cohort is empty or a value is not finite.
pub fn hodges_lehmann(canary: &[f64], baseline: &[f64], tail_level: f64, vif: f64) -> Option<Interval> {
    SortedCohorts::new(canary, baseline)?.hodges_lehmann(tail_level, vif)
}

/// The exact rank of the lower bound without ties: the largest `k` with
/// `P(U <= k - 1) < tail_level` (R: `qwilcox(tail_level, m, n)`), or `1` where
/// `P(U = 0)` is the level itself; `None` where even the extreme misses it.
///
/// Takes about 2 ms for two arms of 50 and grows with the third power.
pub fn exact_rank(m: usize, n: usize, tail_level: f64) -> Option<u64> {
    let most = (m * n / 2) as u64;
    let mut at_most = 0.0;
    for (u, probability) in (0_u64..).zip(u_probabilities(m, n, most)) {
        at_most += probability;
        if at_most >= tail_level {
            return if u > 0 { Some(u) } else { (at_most <= tail_level).then_some(1) };
        }
    }
    // Only rounding gets here: half of the distribution is at least a half.
    (tail_level > 0.0).then_some(most.max(1))
}

/// The asymptotic rank of the lower bound: `floor(mn/2 - z σ √vif - 1/2) + 1` with
/// the standard deviation of `U` corrected for ties; `None` where it is below 1.
pub fn asymptotic_rank(rank_sum: &RankSum, tail_level: f64, vif: f64) -> Option<u64> {
    let z = normal_upper_inverse(tail_level);
    let half = 0.5 * rank_sum.pairs();
    let deviation = rank_sum.sigma() * inflation(vif).sqrt();
    let rank = (half - if deviation > 0.0 { z * deviation } else { 0.0 } - 0.5).floor() + 1.0;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 1 to half of the pairs")]
    (rank >= 1.0).then(|| rank.min(half.max(1.0)) as u64)
}

impl SortedCohorts {
    /// [`hodges_lehmann`] on what is loaded; `None` where nothing is.
    pub fn hodges_lehmann(&self, tail_level: f64, vif: f64) -> Option<Interval> {
        let rank_sum = self.rank_sum()?;
        let small = self.canary().len().max(self.baseline().len()) < EXACT_ARM_BELOW;
        let rank = if !(tail_level > 0.0 && tail_level < 1.0) {
            None
        } else if small && rank_sum.is_untied() && inflation(vif) <= 1.0 {
            exact_rank(self.canary().len(), self.baseline().len(), tail_level)
        } else {
            asymptotic_rank(&rank_sum, tail_level, vif)
        };
        Some(self.shift(rank))
    }

    /// HL-1 between the differences of `rank` from either end; unbounded without a rank.
    fn shift(&self, rank: Option<u64>) -> Interval {
        let (canary, baseline) = (self.canary(), self.baseline());
        let pairs = canary.len() as u64 * baseline.len() as u64;
        let middle = [pairs.div_ceil(2), pairs / 2 + 1];
        let ranks = [rank.unwrap_or(middle[0]), middle[0], middle[1], rank.map_or(middle[1], |k| pairs + 1 - k)];
        let start = self.guess(ranks, pairs);
        let [low, lower_middle, upper_middle, high] = difference_order(self.with_sentinels(), ranks, start);
        let estimate = if lower_middle < upper_middle { 0.5 * lower_middle + 0.5 * upper_middle } else { upper_middle };
        match rank {
            Some(_) => Interval { estimate, low, high },
            None => Interval { estimate, low: f64::NEG_INFINITY, high: f64::INFINITY },
        }
    }

    /// Where differences of these ranks would lie, were both arms normal.
    fn guess(&self, ranks: [u64; 4], pairs: u64) -> [f64; 4] {
        let quartile = |arm: &[f64], quarters: usize| arm[(arm.len() * quarters / 4).min(arm.len() - 1)];
        let (canary, baseline) = (self.canary(), self.baseline());
        let centre = quartile(canary, 2) - quartile(baseline, 2);
        let width = |arm: &[f64]| quartile(arm, 3) - quartile(arm, 1);
        let deviation = width(canary).hypot(width(baseline)) / 1.349;
        #[expect(clippy::cast_precision_loss, reason = "only a guess of where to look")]
        ranks.map(|rank| centre - deviation * normal_upper_inverse((rank as f64 - 0.5) / pairs as f64))
    }
}

/// A variance is never deflated, and one that is not a number says nothing.
fn inflation(vif: f64) -> f64 {
    if vif.is_nan() { f64::INFINITY } else { vif.max(1.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(canary: &[f64], baseline: &[f64], tail_level: f64, vif: f64, expect: (f64, f64, f64)) {
        let Interval { estimate, low, high } = hodges_lehmann(canary, baseline, tail_level, vif).unwrap();
        assert_eq!(format!("{estimate} {low} {high}"), format!("{} {} {}", expect.0, expect.1, expect.2));
    }

    #[test]
    fn a_level_that_the_sizes_cannot_reach_leaves_the_shift_unbounded() {
        // P(U = 0) is 1/10 for arms of 2 and 3.
        check(&[3.0, 4.0], &[0.0, 0.5, 1.25], 0.025, 1.0, (2.875, f64::NEG_INFINITY, f64::INFINITY));
        check(&[3.0, 4.0], &[0.0, 0.5, 1.25], 0.1, 1.0, (2.875, 1.75, 4.0));
        check(&[3.0, 4.0], &[0.0, 0.5, 1.25], 0.1, 50.0, (2.875, f64::NEG_INFINITY, f64::INFINITY));
        check(&[1.0], &[0.0], 0.5, 1.0, (1.0, 1.0, 1.0));
    }

    #[test]
    fn a_level_that_is_none_leaves_the_shift_unbounded() {
        for level in [0.0, -1.0, 1.0, f64::NAN] {
            check(&[1.0, 2.0], &[0.0, 0.0], level, 1.0, (1.5, f64::NEG_INFINITY, f64::INFINITY));
        }
        check(&[1.0, 2.0], &[0.0, 0.0], 0.1, f64::NAN, (1.5, f64::NEG_INFINITY, f64::INFINITY));
    }

    #[test]
    fn equal_values_have_no_shift() {
        check(&[7.0; 9], &[7.0; 4], 0.001, 3.0, (0.0, 0.0, 0.0));
        check(&[0.0; 3], &[-0.0; 3], 0.001, 1.0, (0.0, 0.0, 0.0));
    }

    #[test]
    fn a_difference_too_large_for_a_double_is_infinite() {
        check(&[f64::MAX; 3], &[-f64::MAX; 3], 0.4, 1.5, (f64::INFINITY, f64::INFINITY, f64::INFINITY));
    }

    #[test]
    fn nothing_and_what_is_not_finite_has_no_answer() {
        for (canary, baseline) in [(vec![], vec![1.0]), (vec![1.0], vec![]), (vec![f64::NAN], vec![1.0])] {
            assert_eq!(hodges_lehmann(&canary, &baseline, 0.05, 1.0), None);
        }
        assert_eq!(hodges_lehmann(&[1.0], &[f64::INFINITY], 0.05, 1.0), None);
    }
}
