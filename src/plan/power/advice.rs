//! What would make a check decide: the deadline, the margin, the canary or the weight that is
//! enough, found by planning with each of them.

use crate::plan::power::PASSES;
use crate::plan::power::POWER;
use crate::plan::power::Undecided;
use crate::plan::power::scale::POINTS_MOST;
use crate::plan::power::scale::Scale;
use crate::plan::power::setup::Bench;
use crate::plan::power::setup::Setup;
use crate::rules::CheckKind;
use std::time::Duration;

/// No wave is watched for longer than this.
const DEADLINE_MOST: Duration = Duration::from_hours(7 * 24);
/// No canary grows more than this.
const CANARY_MOST: f64 = 1000.0;
/// Halvings of the search, which goes by factors: to about a hundredth.
const HALVINGS: u32 = 7;
/// A margin that is enough is told with so much to spare, so that rounding does not undo it.
const SPARE: f64 = 1.02;

/// Changes to a rule file or its traffic, each of which alone is enough.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Remedy {
    /// A deadline.
    pub deadline: Option<Duration>,
    /// A margin of PASS.
    pub pass_within: Option<f64>,
    /// Events a second of the canary.
    pub canary_rate: Option<f64>,
    /// A weight.
    pub weight: Option<f64>,
}

impl Setup<'_> {
    /// Whether, and why, the check decides neither way, with what would help.
    pub(super) fn undecided(&self, bench: &mut Bench<'_>) -> Option<Undecided> {
        let stands = self.stands(bench)?;
        Some(Undecided { remedy: self.remedy(), ..stands })
    }

    /// The same without the remedies, which take the longest.
    pub(super) fn stands(&self, bench: &mut Bench<'_>) -> Option<Undecided> {
        let points = bench.grid.fail.last().copied().unwrap_or(0);
        let too_few = (points < self.policy.min_points).then_some(points);
        let (power, passes) = (bench.power(self.policy.pass_within), bench.passes());
        let undecided = Undecided { power, passes, too_few, remedy: Remedy::default() };
        (power < POWER || passes < PASSES).then_some(undecided)
    }

    fn decides(&self) -> bool {
        self.stands(&mut self.bench()).is_none()
    }

    fn remedy(&self) -> Remedy {
        // Alone an ordinary day above the floor never passes, whatever is done.
        if self.lone.is_some() && self.unchanged >= 1.0 {
            return Remedy::default();
        }
        let counts = !matches!(self.check.kind, CheckKind::Gauge { .. });
        Remedy {
            deadline: self.deadline(),
            pass_within: if self.lone.is_none() { self.margin() } else { None },
            canary_rate: counts.then(|| self.canary()).flatten(),
            weight: self.weight(),
        }
    }

    fn deadline(&self) -> Option<Duration> {
        let until = |times: f64| {
            let deadline = rounded(self.deadline.mul_f64(times));
            let mut setup = self.clone();
            setup.deadline = deadline;
            (deadline, setup)
        };
        let most = DEADLINE_MOST.as_secs_f64() / self.deadline.as_secs_f64();
        let times = least(most, |times| until(times).1.decides())?;
        Some(until(times).0)
    }

    fn margin(&self) -> Option<f64> {
        let wider = |times: f64| {
            let margin = self.scale.times(self.policy.pass_within, times);
            let mut setup = self.clone();
            setup.policy.pass_within = margin;
            (margin, setup)
        };
        let most = match self.scale {
            Scale::Points => POINTS_MOST / self.policy.pass_within,
            Scale::Less => 0.99 / self.policy.pass_within,
            Scale::Factor | Scale::More | Scale::Absolute => 100.0,
        };
        let times = least(most, |times| wider(times).1.decides())?;
        Some(wider((times * SPARE).min(most)).0)
    }

    fn canary(&self) -> Option<f64> {
        let larger = |times: f64| {
            let mut setup = self.clone();
            setup.traffic.rates[0] *= times;
            setup
        };
        let times = least(CANARY_MOST, |times| larger(times).decides())?;
        Some(times * self.traffic.rates[0])
    }

    /// More of the risk of a false FAIL, as a weight beside those of the others.
    fn weight(&self) -> Option<f64> {
        let own = self.policy.weight;
        let whole = self.rules.risk.false_fail;
        let others = own * (whole / self.levels.alpha - 1.0);
        // Where it has nearly all of the risk, a weight changes nothing.
        if others <= 0.05 * own || !self.check.counts() {
            return None;
        }
        let heavier = |times: f64| {
            let mut setup = self.clone();
            setup.levels.alpha = whole * times * own / (times * own + others);
            setup
        };
        Some(own * least(20.0, |times| heavier(times).decides())?)
    }
}

/// The least factor from 1 to `most` with which it is `enough`; `None` where none is.
fn least(most: f64, enough: impl Fn(f64) -> bool) -> Option<f64> {
    if most.is_nan() || most <= 1.0 {
        return None;
    }
    let (mut low, mut high) = (1.0, 2.0_f64.min(most));
    while !enough(high) {
        if high >= most {
            return None;
        }
        (low, high) = (high, (2.0 * high).min(most));
    }
    for _ in 0..HALVINGS {
        let middle = (low * high).sqrt();
        if enough(middle) { high = middle } else { low = middle }
    }
    Some(high)
}

/// A deadline as somebody would write it, never shorter.
fn rounded(span: Duration) -> Duration {
    let minutes = (span.as_secs_f64() / 60.0).ceil();
    let step = if minutes <= 180.0 { 5.0 } else { 30.0 };
    Duration::from_secs_f64(60.0 * step * (minutes / step).ceil())
}
