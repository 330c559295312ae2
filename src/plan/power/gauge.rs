//! One value an interval (statistics.md §7): what the engine will believe the error of the mean
//! to be, against what it is.
//!
//! The engine shrinks the autocorrelation that it finds to a prior, so that it credits a quiet
//! series with less than it is worth and a sluggish one with more. Both are in the plan: the
//! bound is measured in the believed error, the noise in the real one.

use crate::judge::Bounds;
use crate::judge::DRIFT_SHARE;
use crate::judge::INSTANCES_LEAST;
use crate::judge::Levels;
use crate::judge::Looks;
use crate::judge::PRIOR_INTERVAL_MAX;
use crate::plan::power::chances::Needed;
use crate::plan::power::chances::t_of;
use crate::plan::power::grid::Grid;
use crate::plan::power::scale::Scale;
use crate::rules::CheckTraffic;
use crate::rules::GaugeScale;
use crate::rules::GaugeTest;
use crate::rules::Policy;
use crate::rules::Worse;
use crate::stats;

/// Fewer points have no slope (G-2).
const SLOPE_POINTS: f64 = 8.0;
/// From this autocorrelation on the engine reads a series with a stiffer prior.
const SLUGGISH: f64 = 0.7;
/// The largest autocorrelation that it believes.
const MEMORY_MAX: f64 = 0.95;

/// A gauge check on an ordinary day.
pub(super) struct Gauge {
    policy: Policy,
    scale: Scale,
    test: GaugeTest,
    seconds: f64,
    noise: f64,
    memory: f64,
    instances: [f64; 2],
    offsets: f64,
    levels: Levels,
}

/// The error of the mean of the first points.
#[derive(Clone, Copy)]
struct Error {
    /// As the engine will see it.
    believed: f64,
    /// Its degrees of freedom, as the engine counts them.
    nu: f64,
    /// As it is.
    real: f64,
    /// How much `believed` itself varies, as a share of it, squared.
    spread: f64,
}

impl Gauge {
    pub(super) fn new(
        policy: Policy,
        test: GaugeTest,
        stated: GaugeScale,
        traffic: &CheckTraffic,
        levels: Levels,
        grid: &Grid,
    ) -> Self {
        let sides = if policy.worse == Worse::Either { 2.0 } else { 1.0 };
        let levels = levels.over(sides);
        let either = matches!(stated, GaugeScale::Both { .. });
        Self {
            policy,
            scale: if stated == GaugeScale::Absolute { Scale::Absolute } else { Scale::relative(policy.worse) },
            test,
            seconds: grid.seconds,
            noise: traffic.noise,
            memory: traffic.autocorrelation,
            instances: traffic.instances.map(f64::from),
            offsets: traffic.offsets,
            levels: if either { Levels { beta: 0.5 * levels.beta, ..levels } } else { levels },
        }
    }

    fn drifts(&self) -> bool {
        matches!(self.test, GaugeTest::Paired { drift: true, .. })
    }

    /// Whether instances are judged, and not points.
    fn by_instance(&self) -> bool {
        let least = INSTANCES_LEAST.map(|least| f64::from(u32::try_from(least).unwrap_or(u32::MAX)));
        self.test == GaugeTest::ByInstance && self.instances[0] >= least[0] && self.instances[1] >= least[1]
    }

    pub(super) fn fail(&self, change: f64, grid: &Grid, looks: &mut Looks) -> Vec<Needed> {
        let mut alpha = self.levels.alpha;
        if self.drifts() {
            alpha *= DRIFT_SHARE;
        }
        let excess = self.scale.inner(change) - self.scale.inner(self.policy.tolerance);
        vec![self.needed(&grid.fail, &looks.fail_bounds(alpha), excess, false)]
    }

    pub(super) fn pass(&self, change: f64, grid: &Grid, looks: &mut Looks) -> Vec<(Needed, Vec<f64>)> {
        let beta = self.levels.beta;
        let room = self.scale.inner(self.policy.pass_within) - self.scale.inner(change);
        let bounds = looks.pass_bounds(beta);
        let needed = self.needed(&grid.pass, &bounds, room, self.drifts());
        let shifted = grid.pass.iter().map(|n| self.shifted(*n, room)).collect();
        vec![(needed, shifted)]
    }

    fn needed(&self, points: &[u32], bounds: &Bounds, distance: f64, end: bool) -> Needed {
        let one = |(points, bound): (&u32, &f64)| {
            if *points < self.policy.min_points.max(2) {
                return f64::INFINITY;
            }
            let error = self.error(f64::from(*points));
            // G-10: the end of the line has about twice the error of the mean, and must be within too.
            let n = f64::from(*points);
            let wider = if end && n >= SLOPE_POINTS { ((4.0 * n - 2.0) / (n + 1.0)).sqrt() } else { 1.0 };
            let t = t_of(*bound, error.nu);
            let (believed, real) = (wider * error.believed, wider * error.real);
            // An error that varies blurs where the bound lies.
            let blur = (real * real + t * t * believed * believed * error.spread).sqrt();
            if t.is_finite() { (t * believed - distance) / blur } else { f64::INFINITY }
        };
        points.iter().zip(bounds.iter()).map(one).collect()
    }

    fn error(&self, n: f64) -> Error {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of points")]
        let inflation = |memory: f64| stats::variance_inflation(memory, n as usize);
        let of_mean = self.noise * (inflation(self.memory) / n).sqrt();
        if self.by_instance() {
            let [own, other] = self.instances;
            let own_level = self.offsets * (1.0 / own + 1.0 / other).sqrt();
            let all = own_level.hypot(of_mean);
            let nu = own + other - 2.0;
            return Error { believed: all, nu, real: all, spread: 0.5 / nu };
        }
        let strict = matches!(self.test, GaugeTest::Paired { strict: true, .. });
        let believed = inflation(self.believed_memory(n));
        // Blocks of four show what an autoregression keeps, and cost their own prior.
        let believed =
            if strict { believed.max(inflation(self.memory.max(self.believed_memory(n)))) } else { believed };
        let worth = (n / believed).max(1.5);
        let (coefficients, nu) =
            if n < SLOPE_POINTS { (1.0, (worth - 1.0).max(0.5)) } else { (2.0, (worth - 2.0).max(0.7)) };
        // What a fitted line takes along of dependent points, and how the engine makes up for it.
        let taken = ((n - coefficients * inflation(self.memory)) / (n - coefficients)).clamp(0.1, 1.0);
        let shrunk = (1.0 - (believed - 1.0) / (n - 1.0)).max(0.1);
        let spread = self.noise * (taken / shrunk / worth).sqrt();
        // Degrees of freedom that the squares of an autoregression really have.
        let kept = self.memory * self.memory;
        let squares = ((n - coefficients) * (1.0 - kept) / (1.0 + kept)).max(1.0);
        Error { believed: spread, nu, real: of_mean, spread: 0.5 / squares }
    }

    /// G-3 of what the series will show, shrunk as the engine does.
    fn believed_memory(&self, n: f64) -> f64 {
        let at = self.seconds.min(PRIOR_INTERVAL_MAX);
        let shrunk = |prior: stats::Prior| {
            let all = n * self.memory + prior.points * prior.autocorrelation;
            (all / (n + prior.points)).clamp(0.0, MEMORY_MAX)
        };
        let found = shrunk(stats::Prior::at(at));
        if found > SLUGGISH { found.max(shrunk(stats::Prior::stiff(at))) } else { found }
    }

    /// G-7: the chance that the last points alone lie `room` away, beyond the margin.
    fn shifted(&self, points: u32, room: f64) -> f64 {
        let recent = stats::recent_points(points as usize);
        let few = f64::from(u32::try_from(recent).unwrap_or(u32::MAX)).min(f64::from(points));
        let error = self.noise * (stats::variance_inflation(self.memory, recent) / few.max(1.0)).sqrt();
        stats::normal_upper(room / error)
    }
}
