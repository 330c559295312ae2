//! Mann-Whitney's rank-sum test (MW-1 to MW-5).
//!
//! It asks whether the canary tends to be larger than the baseline without
//! assuming a shape. The null distribution is exact where that is cheap: by an
//! all-positive recursion without ties (Mann, Whitney 1947), by the shift
//! algorithm with them (Streitberg, Röhmel 1986); beyond, it is normal with
//! continuity and tie correction, as in R's `wilcox.test` and scipy's
//! `mannwhitneyu`. Points of a time series are not independent: for them
//! [`mann_whitney_adjusted`] deflates z by what the autocorrelation costs.

use crate::stats::autocorrelation::Prior;
use crate::stats::autocorrelation::Track;
use crate::stats::autocorrelation::population_variance;
use crate::stats::autocorrelation::weighted_inflation;
use crate::stats::normal::normal_upper;
use crate::stats::null_distribution::subset_sums;
use crate::stats::null_distribution::u_at_most;
use crate::stats::sorted::SortedCohorts;

/// The largest arm that is counted exactly without ties: two such take 3 ms.
pub const EXACT_ARM_MAX: usize = 50;

/// The largest pooled sample that is counted exactly with ties: it takes 1 ms.
pub const EXACT_TIES_MAX: usize = 40;

/// The alternative: where the canary lies against the baseline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tail {
    /// The canary tends to be larger.
    Greater,
    /// The canary tends to be smaller.
    Less,
    /// Either.
    TwoSided,
}

/// How a p-value was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// MW-2: all arrangements, no ties.
    Exact,
    /// MW-3: all arrangements of the mid-ranks.
    ExactTies,
    /// MW-4: normal, with continuity and tie correction.
    Asymptotic,
}

/// The outcome of the test.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MannWhitney {
    /// Pairs in which the canary is larger, ties half: 0 to `mn`.
    pub u: f64,
    /// `u / mn`: the chance that a canary value is larger than a baseline value.
    pub auc: f64,
    /// `2 auc - 1`, from -1 to 1.
    pub cliffs_delta: f64,
    /// The p-value of the tail asked for; 1 where all values are equal.
    pub p: f64,
    /// The standardised `u` with the continuity correction of that tail, whatever
    /// the method; 0 where all values are equal.
    pub z: f64,
    /// How `p` was found.
    pub method: Method,
}

/// MW-5: the test on two time series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdjustedMannWhitney {
    /// The standardised `u`, continuity-corrected towards "no larger".
    pub z_cc: f64,
    /// The same after autocorrelation: `z_cc / √vif`.
    pub z_adj: f64,
    /// The variance inflation of the ranks, at least 1.
    pub vif: f64,
    /// The chance that a canary value is larger than a baseline value.
    pub auc: f64,
}

/// MW-1 to MW-4 by the method that fits: exact without ties up to
/// [`EXACT_ARM_MAX`] an arm, exact with ties up to [`EXACT_TIES_MAX`] in all,
/// else asymptotic.
///
/// `None` where a cohort is empty or a value is not finite.
pub fn mann_whitney(canary: &[f64], baseline: &[f64], tail: Tail) -> Option<MannWhitney> {
    SortedCohorts::new(canary, baseline)?.mann_whitney(tail)
}

/// MW-5: the test against "no larger" on points in the order of time, with the
/// expected autocorrelation `prior` of neighbouring points.
///
/// `None` where a cohort is empty or a value is not finite.
pub fn mann_whitney_adjusted(canary: Track<'_>, baseline: Track<'_>, prior: Prior) -> Option<AdjustedMannWhitney> {
    let sorted = SortedCohorts::new(canary.values, baseline.values)?;
    let rank_sum = sorted.rank_sum()?;
    let ranks = [canary, baseline].map(|track| sorted.ranks(track.values));
    // The document's guard against two constant arms, in squared ranks.
    let weights = [&ranks[0], &ranks[1]].map(|ranks| population_variance(ranks, 1.0) + 1e-9);
    let tracks = [Track { values: &ranks[0], gaps: canary.gaps }, Track { values: &ranks[1], gaps: baseline.gaps }];
    let vif = weighted_inflation(tracks, weights, prior);
    let z_cc = rank_sum.z(Tail::Greater);
    Some(AdjustedMannWhitney { z_cc, z_adj: z_cc / vif.sqrt(), vif, auc: rank_sum.auc() })
}

/// `P(U <= u)` without ties for arms of `m` and `n` values.
///
/// `None` where an arm is larger than [`EXACT_ARM_MAX`].
pub fn mann_whitney_null(u: u64, m: usize, n: usize) -> Option<f64> {
    (m.max(n) <= EXACT_ARM_MAX).then(|| u_at_most(u, m, n))
}

/// MW-1: the statistic, and the sizes and ties it came from. All integers are exact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RankSum {
    m: usize,
    n: usize,
    doubled_u: u64,
    /// `N³` less the cubes of the sizes of the tie groups.
    spread: u128,
}

#[expect(
    clippy::cast_precision_loss,
    reason = "ranks of slices are far below 2^53, their spread only needs to be close"
)]
impl RankSum {
    /// `U`: pairs in which the canary is larger, ties half.
    pub fn u(&self) -> f64 {
        0.5 * self.doubled_u as f64
    }

    /// `U / mn`.
    pub fn auc(&self) -> f64 {
        self.u() / self.pairs()
    }

    /// The standard deviation of `U` under the null, corrected for ties; 0 where all is tied.
    pub fn sigma(&self) -> f64 {
        let pooled = (self.m + self.n) as f64;
        // MW-4 with its two terms brought together: nothing cancels.
        (self.pairs() / 12.0 * (self.spread as f64 / (pooled * (pooled - 1.0)))).sqrt()
    }

    /// True when no two values are equal.
    pub fn is_untied(&self) -> bool {
        let pooled = (self.m + self.n) as u128;
        self.spread == pooled.pow(3) - pooled
    }

    /// The standardised `U` with the continuity correction of `tail`; 0 where all is tied.
    pub fn z(&self, tail: Tail) -> f64 {
        let sigma = self.sigma();
        if sigma <= 0.0 {
            return 0.0;
        }
        let excess = self.u() - 0.5 * self.pairs();
        let correction = match tail {
            Tail::Greater => 0.5,
            Tail::Less => -0.5,
            Tail::TwoSided if excess == 0.0 => 0.0,
            Tail::TwoSided => 0.5_f64.copysign(excess),
        };
        (excess - correction) / sigma
    }

    /// MW-4.
    pub fn asymptotic(&self, tail: Tail) -> MannWhitney {
        let z = self.z(tail);
        let p = match tail {
            _ if self.spread == 0 => 1.0,
            Tail::Greater => normal_upper(z),
            Tail::Less => normal_upper(-z),
            Tail::TwoSided => (2.0 * normal_upper(z.abs())).min(1.0),
        };
        self.outcome(p, z, Method::Asymptotic)
    }

    /// MW-2.
    fn exact(&self, tail: Tail) -> MannWhitney {
        // Without ties U is whole, and symmetric about mn/2.
        let less = self.doubled_u / 2;
        let greater = (self.m * self.n) as u64 - less;
        let p = match tail {
            Tail::Greater => u_at_most(greater, self.m, self.n),
            Tail::Less => u_at_most(less, self.m, self.n),
            Tail::TwoSided => (2.0 * u_at_most(less.min(greater), self.m, self.n)).min(1.0),
        };
        self.outcome(p, self.z(tail), Method::Exact)
    }

    /// MW-3 on the doubled mid-ranks of the pooled sample.
    fn exact_with_ties(&self, doubled_ranks: &[usize], tail: Tail) -> MannWhitney {
        let ways = subset_sums(doubled_ranks, self.m);
        let sum = self.doubled_u + (self.m * (self.m + 1)) as u64;
        let expected = (self.m * (self.m + self.n + 1)) as u64;
        let as_extreme = |other: u64| match tail {
            Tail::Greater => other >= sum,
            Tail::Less => other <= sum,
            Tail::TwoSided => other.abs_diff(expected) >= sum.abs_diff(expected),
        };
        let (mut extreme, mut all) = (0, 0);
        for (other, count) in (0..).zip(ways) {
            all += count;
            if as_extreme(other) {
                extreme += count;
            }
        }
        self.outcome(extreme as f64 / all as f64, self.z(tail), Method::ExactTies)
    }

    fn outcome(&self, p: f64, z: f64, method: Method) -> MannWhitney {
        let auc = self.auc();
        MannWhitney { u: self.u(), auc, cliffs_delta: 2.0 * auc - 1.0, p, z, method }
    }

    /// `mn`, the number of pairs.
    pub fn pairs(&self) -> f64 {
        self.m as f64 * self.n as f64
    }
}

impl SortedCohorts {
    /// [`mann_whitney`] on what is loaded; `None` where nothing is.
    pub fn mann_whitney(&self, tail: Tail) -> Option<MannWhitney> {
        let rank_sum = self.rank_sum()?;
        Some(if rank_sum.is_untied() && rank_sum.m.max(rank_sum.n) <= EXACT_ARM_MAX {
            rank_sum.exact(tail)
        } else if !rank_sum.is_untied() && rank_sum.m + rank_sum.n <= EXACT_TIES_MAX {
            rank_sum.exact_with_ties(&self.doubled_ranks(), tail)
        } else {
            rank_sum.asymptotic(tail)
        })
    }

    /// MW-1; `None` where nothing is loaded.
    pub fn rank_sum(&self) -> Option<RankSum> {
        let (m, n) = (self.canary().len(), self.baseline().len());
        if m == 0 || n == 0 {
            return None;
        }
        let (mut doubled_u, mut spread) = (0, 0);
        self.for_each_value(|canary_below, baseline_below, in_canary, in_baseline| {
            doubled_u += (in_canary * (2 * baseline_below + in_baseline)) as u64;
            let (below, tied) = ((canary_below + baseline_below) as u128, (in_canary + in_baseline) as u128);
            spread += 3 * below * tied * (below + tied);
        });
        Some(RankSum { m, n, doubled_u, spread })
    }

    /// Twice the mid-ranks of the pooled sample, ascending.
    fn doubled_ranks(&self) -> Vec<usize> {
        let mut ranks = Vec::with_capacity(self.canary().len() + self.baseline().len());
        self.for_each_value(|canary_below, baseline_below, in_canary, in_baseline| {
            let tied = in_canary + in_baseline;
            ranks.extend(std::iter::repeat_n(2 * (canary_below + baseline_below) + tied + 1, tied));
        });
        ranks
    }

    /// The mid-ranks of `values` in the pooled sample that they are part of.
    #[expect(clippy::cast_precision_loss, reason = "the length of a slice of doubles is below 2^53")]
    fn ranks(&self, values: &[f64]) -> Vec<f64> {
        let below = |arm: &[f64], value: f64| arm.partition_point(|other| *other < value);
        let up_to = |arm: &[f64], value: f64| arm.partition_point(|other| *other <= value);
        let doubled = |value: f64| {
            [self.canary(), self.baseline()].iter().map(|arm| below(arm, value) + up_to(arm, value)).sum::<usize>() + 1
        };
        values.iter().map(|value| 0.5 * doubled(*value) as f64).collect()
    }

    /// Calls `see` for each distinct value, ascending, with the numbers of values
    /// below it and equal to it in each arm.
    pub(crate) fn for_each_value(&self, mut see: impl FnMut(usize, usize, usize, usize)) {
        let (canary, baseline) = (self.canary(), self.baseline());
        let (with_sentinel_c, with_sentinel_b) = self.with_sentinels();
        let (mut i, mut j) = (0, 0);
        while i < canary.len() || j < baseline.len() {
            let value = with_sentinel_c[i].min(with_sentinel_b[j]);
            let in_canary = run(&canary[i..], value);
            let in_baseline = run(&baseline[j..], value);
            see(i, j, in_canary, in_baseline);
            i += in_canary;
            j += in_baseline;
        }
    }
}

/// How many of the first of `sorted` are `value`.
fn run(sorted: &[f64], value: f64) -> usize {
    sorted.iter().take_while(|other| **other <= value).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_smaller_canary_arm_has_the_p_value_of_brute_force() {
        // Where a widely used library gives 0.971 and 1.
        let (canary, baseline) = ([1.0, 2.0, 3.0], [4.0, 5.0, 6.0, 7.0]);
        let p = |tail| mann_whitney(&canary, &baseline, tail).unwrap().p;
        assert!((p(Tail::Less) - 1.0 / 35.0).abs() < 1e-15);
        assert!((p(Tail::TwoSided) - 2.0 / 35.0).abs() < 1e-15);
        assert!((p(Tail::Greater) - 1.0).abs() < 1e-15);
    }

    #[test]
    fn the_method_follows_size_and_ties() {
        let rising = |count: u32, from: f64| (0..count).map(|i| from + f64::from(i)).collect::<Vec<_>>();
        let method = |c: &[f64], b: &[f64]| mann_whitney(c, b, Tail::Greater).unwrap().method;
        assert_eq!(method(&rising(50, 0.0), &rising(50, 0.5)), Method::Exact);
        assert_eq!(method(&rising(51, 0.0), &rising(3, 0.5)), Method::Asymptotic);
        assert_eq!(method(&rising(20, 0.0), &rising(20, 5.0)), Method::ExactTies);
        assert_eq!(method(&rising(20, 0.0), &rising(21, 5.0)), Method::Asymptotic);
    }

    #[test]
    fn all_equal_values_are_no_evidence() {
        for (m, n) in [(1, 1), (4, 5), (300, 200)] {
            for tail in [Tail::Greater, Tail::Less, Tail::TwoSided] {
                let outcome = mann_whitney(&vec![-0.0; m], &vec![0.0; n], tail).unwrap();
                assert!((outcome.p - 1.0).abs() < f64::EPSILON && outcome.z.abs() < f64::EPSILON, "{outcome:?}");
                assert!((outcome.auc - 0.5).abs() < f64::EPSILON);
            }
        }
    }

    #[test]
    fn constant_arms_that_differ_are_judged_by_the_prior() {
        let (canary, baseline) = ([5.0; 30], [3.0; 30]);
        let outcome = mann_whitney_adjusted(Track::whole(&canary), Track::whole(&baseline), Prior::at(15.0)).unwrap();
        assert!(outcome.vif > 3.0 && outcome.vif < 4.0 && outcome.z_adj < outcome.z_cc, "{outcome:?}");
    }
}
