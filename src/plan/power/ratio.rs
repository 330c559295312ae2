//! Bad events of all events (statistics.md §4): EP-1, the floor and the guard, or the fast way.

use crate::judge::FAST_SHARE;
use crate::judge::FLOOR_SHARE;
use crate::judge::INSTANCE_SHARE;
use crate::judge::Levels;
use crate::judge::Looks;
use crate::plan::power::chances::Needed;
use crate::plan::power::chances::crossed;
use crate::plan::power::counts;
use crate::plan::power::counts::Arms;
use crate::plan::power::counts::at_each;
use crate::plan::power::grid::Grid;
use crate::rules::CheckTraffic;
use crate::rules::Policy;
use crate::rules::Worse;

/// Rates below this count as this: a service without a bad event has no ratio.
const LEAST_RATE: f64 = 1e-9;

/// A ratio check on an ordinary day.
pub(super) struct Ratio {
    policy: Policy,
    floor: f64,
    rates: [f64; 2],
    bad: f64,
    seconds: f64,
    levels: Levels,
}

impl Ratio {
    pub(super) fn new(policy: Policy, floor: f64, traffic: &CheckTraffic, levels: Levels, grid: &Grid) -> Self {
        let sides = if policy.worse == Worse::Either { 2.0 } else { 1.0 };
        let levels = levels.over(sides);
        let shared = policy.worse != Worse::Decrease && traffic.instances.iter().all(|count| *count > 1);
        Self {
            policy,
            floor,
            rates: traffic.rates,
            bad: traffic.bad.max(LEAST_RATE),
            seconds: grid.seconds,
            levels: if shared { levels.fail_share(1.0 - INSTANCE_SHARE) } else { levels },
        }
    }

    /// The largest change that there is room for.
    pub(super) fn most(&self) -> f64 {
        if self.policy.worse == Worse::Decrease { 1e6 } else { 1.0 / self.bad }
    }

    fn arms(&self, change: f64) -> Arms {
        let [canary, baseline] = self.rates.map(|rate| rate * self.seconds);
        let own = |factor: f64| (self.bad * factor).clamp(LEAST_RATE, 1.0);
        if self.policy.worse == Worse::Decrease {
            Arms { bad: [baseline * self.bad, canary * own(1.0 / change)], total: [baseline, canary] }
        } else {
            Arms { bad: [canary * own(change), baseline * self.bad], total: [canary, baseline] }
        }
    }

    pub(super) fn fail(&self, change: f64, grid: &Grid, looks: &mut Looks) -> Vec<Vec<f64>> {
        let arms = self.arms(change);
        ways(&arms, self.policy, self.floor, self.levels.alpha, grid, looks, 0)
    }

    pub(super) fn pass(&self, change: f64, grid: &Grid, looks: &mut Looks) -> Vec<(Needed, Vec<f64>)> {
        let (arms, margin, least) = (self.arms(change), self.policy.pass_within, self.policy.min_points);
        let beta = self.levels.beta;
        let lately = |one: &dyn Fn(u32) -> f64| grid.pass.iter().map(|n| one(*n)).collect::<Vec<f64>>();
        let above = lately(&|n| counts::above_lately(&arms, margin, n));
        let share = if self.floor > 0.0 { 1.0 - FLOOR_SHARE } else { 1.0 };
        let bounds = looks.pass_bounds(share * beta);
        let needed = at_each(&grid.pass, &bounds, least, |n, z| {
            let exact = counts::within(&arms, margin, z, f64::from(n));
            exact.max(counts::guard(&arms, margin, -1.0, self.seconds, z, n))
        });
        let mut ways = vec![(needed, above)];
        if self.floor > 0.0 {
            let bounds = looks.pass_bounds(FLOOR_SHARE * beta);
            let needed =
                at_each(&grid.pass, &bounds, least, |n, z| counts::under_floor(&arms, self.floor, self.seconds, z, n));
            ways.push((needed, lately(&|n| counts::above_floor_lately(&arms, self.floor, n))));
        }
        ways
    }
}

/// The chance of a FAIL by each look, by the slow way and by the fast one; the first `skipped`
/// intervals are not compared.
pub(super) fn ways(
    arms: &Arms,
    policy: Policy,
    floor: f64,
    alpha: f64,
    grid: &Grid,
    looks: &mut Looks,
    skipped: u32,
) -> Vec<Vec<f64>> {
    let compared = arms.compared();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "no more than there are intervals")]
    let seen: Vec<u32> =
        grid.fail.iter().map(|n| (f64::from(n.saturating_sub(skipped)) * compared).round() as u32).collect();
    let (margin, least) = (policy.tolerance, policy.min_points);
    let slow_alpha = (1.0 - FAST_SHARE) * alpha;
    let bounds = looks.fail_bounds(slow_alpha);
    let slow = at_each(&seen, &bounds, least, |n, z| {
        let exact = counts::exact(arms, margin, slow_alpha, f64::from(n));
        if exact.is_infinite() {
            return exact;
        }
        let own = counts::over_floor(arms, floor, z, f64::from(n));
        exact.max(own).max(counts::guard(arms, margin, 1.0, grid.seconds, z, n))
    });
    // Asked at every interval, of which the planned looks are nearly all.
    let fast = at_each(&seen, &bounds, least, |n, _| counts::fast(arms, margin, floor, alpha, f64::from(n)));
    let run = counts::run_by(counts::favouring(arms, margin), grid.seconds, seen.last().copied().unwrap_or(0));
    let run = |n: &u32| n.checked_sub(1).and_then(|n| run.get(n as usize)).copied().unwrap_or(0.0);
    let quick = crossed(&grid.fail_times, &fast).into_iter().zip(seen.iter().map(run)).map(|(e, run)| e * run);
    vec![crossed(&grid.fail_times, &slow), quick.collect()]
}
