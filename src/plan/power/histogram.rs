//! A histogram of every event's value (H-1 … H-3): the ranks of an interval, and what the guard
//! believes of them.

use crate::judge::HISTOGRAM_DISTURBANCE;
use crate::judge::Levels;
use crate::judge::Looks;
use crate::plan::power::chances::Needed;
use crate::plan::power::chances::t_of;
use crate::plan::power::counts::at_each;
use crate::plan::power::grid::Grid;
use crate::plan::power::shape::Shape;
use crate::plan::power::typical::believed;
use crate::rules::CheckTraffic;
use crate::rules::Policy;
use crate::rules::Worse;
use crate::stats;

/// A histogram check on an ordinary day.
pub(super) struct Histogram {
    policy: Policy,
    seconds: f64,
    /// The score of an interval in which nothing changed; `None` where all events are alike.
    even: Option<stats::Score>,
    /// The share of the intervals in which both cohorts had events.
    compared: f64,
    levels: Levels,
}

impl Histogram {
    pub(super) fn new(policy: Policy, traffic: &CheckTraffic, shape: &Shape, levels: Levels, grid: &Grid) -> Self {
        let sides = if policy.worse == Worse::Either { 2.0 } else { 1.0 };
        let present = traffic.rates.map(|rate| -(-rate * grid.seconds).exp_m1());
        // Of an interval that is compared: each cohort had an event at least.
        let [own, other] = [0, 1].map(|cohort| {
            let events = (traffic.rates[cohort] * grid.seconds / present[cohort]).max(1.0);
            shape.shares.iter().map(|share| share * events).collect::<Vec<f64>>()
        });
        Self {
            policy,
            seconds: grid.seconds,
            even: stats::bucket_ranks(&own, &other).map(|ranks| stats::rank_score(&ranks, 0.0)),
            compared: present.iter().product(),
            levels: levels.over(sides),
        }
    }

    pub(super) fn fail(&self, change: f64, grid: &Grid, looks: &mut Looks) -> Vec<Needed> {
        let bounds = looks.fail_bounds(self.levels.alpha);
        vec![self.needed(&grid.fail, &bounds, change - self.policy.tolerance)]
    }

    pub(super) fn pass(&self, change: f64, grid: &Grid, looks: &mut Looks) -> Vec<(Needed, Vec<f64>)> {
        let room = self.policy.pass_within - change;
        let bounds = looks.pass_bounds(self.levels.beta);
        let needed = self.needed(&grid.pass, &bounds, room);
        let lately = |n: &u32| {
            let Some(even) = self.even else { return 1.0 };
            let recent = stats::recent_points(*n as usize).min(*n as usize);
            let recent = f64::from(u32::try_from(recent).unwrap_or(u32::MAX));
            stats::normal_upper(room * even.exposure * (recent / even.variance).sqrt())
        };
        vec![(needed, grid.pass.iter().map(lately).collect())]
    }

    fn needed(&self, seen: &[u32], bounds: &[f64], distance: f64) -> Needed {
        let Some(even) = self.even.filter(|even| even.variance > 0.0) else {
            return vec![f64::INFINITY; seen.len()];
        };
        let noise = even.variance.sqrt();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "no more than there are intervals")]
        let compared: Vec<u32> = seen.iter().map(|n| (f64::from(*n) * self.compared).round() as u32).collect();
        at_each(&compared, bounds, self.policy.min_points, |n, z| {
            let guard = believed(even, noise, self.seconds, HISTOGRAM_DISTURBANCE, n);
            let Some((error, nu)) = guard else { return f64::INFINITY };
            let n = f64::from(n);
            (t_of(z, nu) * error - n * even.exposure * distance) / (noise * n.sqrt())
        })
    }
}
