//! The tail of a histogram (T-1): a ratio at each of two bounds.

use crate::judge::Levels;
use crate::judge::Looks;
use crate::judge::PASS_RATIO;
use crate::judge::TAILS;
use crate::plan::power::chances::Needed;
use crate::plan::power::counts;
use crate::plan::power::counts::Arms;
use crate::plan::power::counts::at_each;
use crate::plan::power::grid::Grid;
use crate::plan::power::ratio::ways;
use crate::plan::power::shape::Shape;
use crate::rules::CheckTraffic;
use crate::rules::Policy;

/// The first interval is compared with nothing: bounds come from what was before.
const SKIPPED: u32 = 1;
/// A tail is never thinner, so that a count of it is a count.
const LEAST_SHARE: f64 = 1e-9;

/// A quantile check on an ordinary day.
pub(super) struct Quantile {
    policy: Policy,
    asked: f64,
    rates: [f64; 2],
    seconds: f64,
    shape: Shape,
    /// The baseline's events in half of the time, by which its tail is known.
    known: f64,
    levels: Levels,
}

impl Quantile {
    pub(super) fn new(
        policy: Policy,
        quantile: f64,
        traffic: &CheckTraffic,
        shape: Shape,
        levels: Levels,
        grid: &Grid,
    ) -> Self {
        let intervals = f64::from(grid.fail.last().copied().unwrap_or(1));
        let known = (0.5 * intervals * grid.seconds * traffic.rates[1]).max(1.0);
        Self {
            policy,
            asked: quantile,
            rates: traffic.rates,
            seconds: grid.seconds,
            shape,
            known,
            levels: levels.over(TAILS),
        }
    }

    /// The bound nearest to the quantile, and the first beyond what is tolerated.
    fn bounds(&self) -> Option<[Option<f64>; 2]> {
        self.shape.with(self.known, |survival| {
            let quantile = survival.quantile(self.asked);
            [Some(survival.nearest_bound(quantile)), survival.bound_from(quantile * (1.0 + self.policy.tolerance))]
        })
    }

    /// The cohorts above `bound`, with the margin `ratio` in the canary's totals.
    fn arms(&self, bound: f64, ratio: f64, change: f64) -> Arms {
        let [canary, baseline] = self.rates.map(|rate| rate * self.seconds);
        // What is slower was nearer to zero.
        let own = self.shape.above(bound / (1.0 + change)).max(LEAST_SHARE);
        let other = self.shape.above(bound).max(LEAST_SHARE);
        Arms { bad: [canary * own, baseline * other], total: [canary * ratio, baseline] }
    }

    fn ratio(&self, bound: f64, margin: f64) -> Option<f64> {
        self.shape.with(self.known, |survival| survival.tail_ratio(bound, margin).ratio)
    }

    pub(super) fn fail(&self, change: f64, grid: &Grid, looks: &mut Looks) -> Vec<Vec<f64>> {
        let tolerated = Policy { tolerance: 1.0, ..self.policy };
        let tails = self.bounds().into_iter().flatten().flatten();
        let tail = |bound: f64| {
            let ratio = self.ratio(bound, self.policy.tolerance)?;
            let arms = self.arms(bound, ratio, change);
            Some(ways(&arms, tolerated, 0.0, self.levels.alpha, grid, looks, SKIPPED))
        };
        tails.filter_map(tail).flatten().collect()
    }

    pub(super) fn pass(&self, change: f64, grid: &Grid, looks: &mut Looks) -> Vec<(Needed, Vec<f64>)> {
        let near = self.bounds().and_then(|[near, _]| near);
        let Some((bound, ratio)) = near.and_then(|near| Some((near, self.ratio(near, self.policy.pass_within)?)))
        else {
            return Vec::new();
        };
        let arms = self.arms(bound, ratio.clamp(PASS_RATIO.0, PASS_RATIO.1), change);
        let bounds = looks.pass_bounds(self.levels.beta);
        let seen: Vec<u32> = grid.pass.iter().map(|n| n.saturating_sub(SKIPPED)).collect();
        let needed = at_each(&seen, &bounds, self.policy.min_points, |n, z| {
            counts::within(&arms, 1.0, z, f64::from(n)).max(counts::guard(&arms, 1.0, -1.0, self.seconds, z, n))
        });
        vec![(needed, seen.iter().map(|n| counts::above_lately(&arms, 1.0, *n)).collect())]
    }
}
