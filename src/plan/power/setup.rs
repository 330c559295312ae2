//! One check under stated conditions, any of which may be changed to see what would help.

use crate::judge::Levels;
use crate::judge::Looks;
use crate::judge::Timing;
use crate::plan::ordinary::is_alone;
use crate::plan::ordinary::lone_floor;
use crate::plan::ordinary::ordinary;
use crate::plan::power::Assumptions;
use crate::plan::power::POWER;
use crate::plan::power::Shape;
use crate::plan::power::Unplanned;
use crate::plan::power::alone::Alone;
use crate::plan::power::chances::best;
use crate::plan::power::chances::crossed;
use crate::plan::power::chances::unless_forbidden;
use crate::plan::power::gauge::Gauge;
use crate::plan::power::grid::Grid;
use crate::plan::power::histogram::Histogram;
use crate::plan::power::quantile::Quantile;
use crate::plan::power::ratio::Ratio;
use crate::plan::power::scale::LESS_MOST;
use crate::plan::power::scale::POINTS_MOST;
use crate::plan::power::scale::Scale;
use crate::plan::scene::LONE_TIMES;
use crate::rules::Check;
use crate::rules::CheckKind;
use crate::rules::CheckTraffic;
use crate::rules::Policy;
use crate::rules::RuleFile;
use crate::series::Timestamp;
use crate::stats;
use std::time::Duration;

/// No change is looked for beyond this many times as much.
const CHANGE_MOST: f64 = 100.0;
/// Steps of the search for what is detected, and its precision as a share of the distance
/// from the tolerance.
const STEPS: u32 = 14;
const PRECISION: f64 = 0.004;

/// A check and its conditions.
#[derive(Clone)]
pub(super) struct Setup<'a> {
    pub(super) rules: &'a RuleFile,
    pub(super) check: &'a Check,
    pub(super) scale: Scale,
    pub(super) policy: Policy,
    pub(super) levels: Levels,
    pub(super) deadline: Duration,
    /// The floor, where there is no baseline.
    pub(super) lone: Option<f64>,
    /// The size of no change.
    pub(super) unchanged: f64,
    pub(super) scrape: Option<Duration>,
    pub(super) traffic: CheckTraffic,
    pub(super) shape: Shape,
}

/// The test of a setup, with its grid and its tables.
pub(super) struct Bench<'a> {
    pub(super) setup: &'a Setup<'a>,
    pub(super) grid: Grid,
    looks: Looks,
    test: Test,
}

enum Test {
    Ratio(Ratio),
    Alone(Alone),
    Histogram(Histogram),
    Quantile(Quantile),
    Gauge(Gauge),
}

impl<'a> Setup<'a> {
    /// Why not, for a check that is not statistical, or has nobody to be compared with.
    pub(super) fn of(rules: &'a RuleFile, check: &'a Check, assumed: &Assumptions) -> Result<Self, Unplanned> {
        let scale = Scale::of(&check.kind).ok_or(Unplanned::Threshold)?;
        let mut policy = *check.kind.policy().ok_or(Unplanned::Threshold)?;
        let levels = Levels::of(rules, check).ok_or(Unplanned::Threshold)?;
        let lone = lone_floor(rules, check);
        if is_alone(rules, check) && lone.is_none() {
            return Err(Unplanned::NoBaseline);
        }
        let traffic = ordinary(&assumed.traffic, check);
        if lone.is_some() {
            // `pass_within` is of a comparison; what must be found is told by what is tolerated.
            policy.pass_within = LONE_TIMES * policy.tolerance;
        }
        let shape = assumed.shapes.get(&check.name).cloned();
        Ok(Self {
            rules,
            check,
            scale,
            policy,
            levels,
            deadline: rules.schedule.deadline,
            lone,
            unchanged: lone.map_or(scale.none(), |floor| traffic.bad / floor),
            scrape: assumed.scrape,
            shape: shape.unwrap_or_else(|| Shape::lognormal(traffic.latency)),
            traffic,
        })
    }

    pub(super) fn bench(&self) -> Bench<'_> {
        let start = Timestamp::from_millis(0);
        let timing = Timing::of(self.rules, start, self.scrape, Some(start + self.deadline));
        let (grid, looks) = Grid::new(timing, self.rules.risk.spending);
        let (policy, traffic, levels) = (self.policy, &self.traffic, self.levels);
        let test = match &self.check.kind {
            CheckKind::Ratio { floor, .. } if self.lone.is_some() => {
                Test::Alone(Alone::new(policy, *floor, traffic, levels, &grid))
            }
            CheckKind::Ratio { floor, .. } => Test::Ratio(Ratio::new(policy, *floor, traffic, levels, &grid)),
            CheckKind::Quantile { quantile, .. } => {
                Test::Quantile(Quantile::new(policy, *quantile, traffic, self.shape.clone(), levels, &grid))
            }
            CheckKind::Gauge { test, scale, .. } => {
                Test::Gauge(Gauge::new(policy, *test, *scale, traffic, levels, &grid))
            }
            CheckKind::Histogram { .. } | CheckKind::Threshold { .. } => {
                Test::Histogram(Histogram::new(policy, traffic, &self.shape, levels, &grid))
            }
        };
        Bench { setup: self, grid, looks, test }
    }
}

impl Bench<'_> {
    /// The chance that a change of this size has failed by each planned look.
    pub(super) fn fail_chances(&mut self, change: f64) -> Vec<f64> {
        let (grid, looks) = (&self.grid, &mut self.looks);
        let path = |needed: Vec<f64>| crossed(&grid.fail_times, &needed);
        match &self.test {
            Test::Ratio(test) => best(test.fail(change, grid, looks)),
            Test::Alone(test) => best(test.fail(change, grid, looks)),
            Test::Quantile(test) => best(test.fail(change, grid, looks)),
            Test::Histogram(test) => best(test.fail(change, grid, looks).into_iter().map(path)),
            Test::Gauge(test) => best(test.fail(change, grid, looks).into_iter().map(path)),
        }
    }

    /// The chance that a change of this size has passed by each look that may find a PASS.
    pub(super) fn pass_chances(&mut self, change: f64) -> Vec<f64> {
        let (grid, looks) = (&self.grid, &mut self.looks);
        let ways = match &self.test {
            Test::Ratio(test) => test.pass(change, grid, looks),
            Test::Alone(test) => test.pass(change, grid, looks),
            Test::Quantile(test) => test.pass(change, grid, looks),
            Test::Histogram(test) => test.pass(change, grid, looks),
            Test::Gauge(test) => test.pass(change, grid, looks),
        };
        let way = |(needed, forbidden): (Vec<f64>, Vec<f64>)| {
            unless_forbidden(&crossed(&grid.pass_times, &needed), &forbidden)
        };
        best(ways.into_iter().map(way))
    }

    /// The chance of a FAIL by the deadline.
    pub(super) fn power(&mut self, change: f64) -> f64 {
        self.fail_chances(change).last().copied().unwrap_or(0.0)
    }

    /// The chance of an unchanged canary's PASS by the deadline.
    pub(super) fn passes(&mut self) -> f64 {
        self.pass_chances(self.setup.unchanged).last().copied().unwrap_or(0.0)
    }

    /// The largest change that is looked for.
    pub(super) fn most(&self) -> f64 {
        match (self.setup.scale, &self.test) {
            (Scale::Factor, Test::Ratio(test)) => test.most().min(1e3),
            (Scale::Factor, Test::Alone(test)) => test.most().min(1e3),
            (Scale::Points, _) => POINTS_MOST,
            (Scale::Less, _) => LESS_MOST,
            (Scale::Absolute, _) => CHANGE_MOST * self.setup.policy.pass_within.max(self.setup.traffic.noise),
            (Scale::Factor | Scale::More, _) => CHANGE_MOST,
        }
    }

    /// The smallest change with a power of [`POWER`]: the deviate of the power is nearly a
    /// straight line of the change, so that a secant finds it in a few steps.
    pub(super) fn detects(&mut self) -> Option<f64> {
        let scale = self.setup.scale;
        let (start, end) = (scale.inner(self.setup.policy.tolerance), scale.inner(self.most()));
        let missing = |bench: &mut Self, inner: f64| {
            let miss = (1.0 - bench.power(scale.outer(inner))).clamp(1e-9, 1.0 - 1e-9);
            stats::normal_upper_inverse(miss) - stats::normal_upper_inverse(1.0 - POWER)
        };
        let (mut low, mut below) = (start, missing(self, start));
        let mut step = scale.inner(self.setup.policy.pass_within) - start;
        let (mut high, mut above) = loop {
            let place = (low + step).min(end);
            let found = missing(self, place);
            if found >= 0.0 {
                break (place, found);
            }
            if place >= end {
                return None;
            }
            (low, below, step) = (place, found, 2.0 * step);
        };
        // Illinois: a secant that lets neither end rest for long.
        let mut side = 0;
        for _ in 0..STEPS {
            if high - low <= PRECISION * (high - start) {
                break;
            }
            let secant = low + (high - low) * (-below / (above - below)).clamp(0.02, 0.98);
            let found = missing(self, secant);
            if found >= 0.0 {
                (high, above) = (secant, found);
                below *= if side == 1 { 0.5 } else { 1.0 };
                side = 1;
            } else {
                (low, below) = (secant, found);
                above *= if side == -1 { 0.5 } else { 1.0 };
                side = -1;
            }
            if found.abs() < PRECISION {
                high = secant;
                break;
            }
        }
        Some(scale.outer(high))
    }
}
