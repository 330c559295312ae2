//! Bad events with nobody to compare them with: FAIL above `tolerance` times the floor, PASS
//! below the floor. Sizes are times the floor.

use crate::judge::ALONE_PASS_SHARE;
use crate::judge::FAST_SHARE;
use crate::judge::Levels;
use crate::judge::Looks;
use crate::judge::fast_ratio;
use crate::plan::power::chances::Needed;
use crate::plan::power::chances::crossed;
use crate::plan::power::counts;
use crate::plan::power::counts::Arms;
use crate::plan::power::counts::at_each;
use crate::plan::power::grid::Grid;
use crate::rules::CheckTraffic;
use crate::rules::Policy;

/// Rates below this count as this.
const LEAST_RATE: f64 = 1e-9;

/// A ratio check without a baseline on an ordinary day.
pub(super) struct Alone {
    policy: Policy,
    floor: f64,
    rate: f64,
    seconds: f64,
    levels: Levels,
}

impl Alone {
    pub(super) fn new(policy: Policy, floor: f64, traffic: &CheckTraffic, levels: Levels, grid: &Grid) -> Self {
        Self { policy, floor, rate: traffic.rates[0], seconds: grid.seconds, levels }
    }

    /// The largest change that there is room for.
    pub(super) fn most(&self) -> f64 {
        1.0 / self.floor
    }

    /// One cohort, and none beside it.
    fn arms(&self, change: f64) -> Arms {
        let total = self.rate * self.seconds;
        let bad = (self.floor * change).clamp(LEAST_RATE, 1.0 - LEAST_RATE);
        Arms { bad: [total * bad, 0.0], total: [total, 0.0] }
    }

    pub(super) fn fail(&self, change: f64, grid: &Grid, looks: &mut Looks) -> Vec<Vec<f64>> {
        let (arms, least) = (self.arms(change), self.policy.min_points);
        let margin = self.policy.tolerance * self.floor;
        let slow = (1.0 - FAST_SHARE) * self.levels.alpha;
        let bounds = looks.fail_bounds(slow);
        let needed = at_each(&grid.fail, &bounds, least, |n, z| {
            let exact = counts::over_floor_ever(&arms, margin, slow, f64::from(n));
            exact.max(counts::floor_guard(&arms, margin, -1.0, self.seconds, z, n))
        });
        let far = fast_ratio(self.policy.tolerance) * self.floor;
        let quick = at_each(&grid.fail, &bounds, least, |n, _| {
            counts::over_floor_ever(&arms, far, FAST_SHARE * self.levels.alpha, f64::from(n))
        });
        let intervals = grid.fail.last().copied().unwrap_or(0);
        let run = counts::run_by(counts::over_floor_once(&arms, far), self.seconds, intervals);
        let run = |n: &u32| n.checked_sub(1).and_then(|n| run.get(n as usize)).copied().unwrap_or(0.0);
        let quick =
            crossed(&grid.fail_times, &quick).into_iter().zip(grid.fail.iter().map(run)).map(|(e, run)| e * run);
        vec![crossed(&grid.fail_times, &needed), quick.collect()]
    }

    pub(super) fn pass(&self, change: f64, grid: &Grid, looks: &mut Looks) -> Vec<(Needed, Vec<f64>)> {
        let arms = self.arms(change);
        let bounds = looks.pass_bounds(ALONE_PASS_SHARE * self.levels.beta);
        let needed = at_each(&grid.pass, &bounds, self.policy.min_points, |n, z| {
            counts::under_floor(&arms, self.floor, self.seconds, z, n)
        });
        let lately = grid.pass.iter().map(|n| counts::above_floor_lately(&arms, self.floor, *n)).collect();
        vec![(needed, lately)]
    }
}
