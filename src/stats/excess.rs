//! What one cohort has more of than another: the rate ratio and the excess of bad events,
//! over strata where there are some, and the excess of several cohorts on one baseline.
//!
//! The ratio of strata is Mantel and Haenszel's (1959), for rates as Greenland and Robins
//! (1985) have it. Its bounds are those of the exact conditional test: given all bad events,
//! each stratum's of the canary are binomial, and their sum spreads less than a binomial of
//! the mean share (Hoeffding 1956), whose bounds are Clopper and Pearson's. Of one stratum they
//! are exact. Differences have Newcombe's hybrid score interval (1998, method 10), and sums of
//! them over strata the same recovery of variances (Zou and Donner 2008).

use crate::stats::counts::proportion;
use crate::stats::counts::rate_ratio_interval;
use crate::stats::interval::Interval;
use crate::stats::normal::normal_upper_inverse;

/// Logarithm of the largest ratio that bounds are looked for at: beyond, it is infinite.
const FAR_LN_RATIO: f64 = 700.0;

/// Halvings of a span of 1400 until doubles between are used up.
const HALVINGS: u32 = 64;

/// Bad events of all events of one cohort: `0 <= bad <= total`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Arm {
    /// Bad events.
    pub bad: f64,
    /// All events.
    pub total: f64,
}

impl Arm {
    /// What the events are worth where they vary `dispersion` times as much as independent ones.
    fn worth(self, dispersion: f64) -> Self {
        Self { bad: self.bad / dispersion, total: self.total / dispersion }
    }

    fn share(self) -> f64 {
        self.bad / self.total
    }

    /// Variance of the share, estimated.
    fn variance(self) -> f64 {
        self.share() * (1.0 - self.share()) / self.total
    }

    fn is_countable(self) -> bool {
        self.total.is_finite() && (0.0..=self.total).contains(&self.bad)
    }

    fn plus(self, other: Self) -> Self {
        Self { bad: self.bad + other.bad, total: self.total + other.total }
    }
}

/// Two cohorts that are compared with each other.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Stratum {
    /// The one in question.
    pub canary: Arm,
    /// What it is compared with.
    pub baseline: Arm,
}

impl Stratum {
    fn is_comparable(&self) -> bool {
        let (canary, baseline) = (self.canary, self.baseline);
        canary.is_countable() && baseline.is_countable() && canary.total > 0.0 && baseline.total > 0.0
    }

    fn worth(&self, [canary, baseline]: [f64; 2]) -> Self {
        Self { canary: self.canary.worth(canary), baseline: self.baseline.worth(baseline) }
    }

    /// Bad events that the canary has and would not have had at the baseline's share; signed.
    fn excess(&self) -> f64 {
        // The product first: whole counts lose nothing in it.
        self.canary.bad - self.canary.total * self.baseline.bad / self.baseline.total
    }
}

/// Strata in which both cohorts have events, taken together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Comparison {
    /// Sums over the strata that are compared.
    pub sums: Stratum,
    /// Strata that are not, because one cohort has nothing in them and the other has.
    pub dropped: u32,
    /// The rate ratio as a fraction, without rounding of whole counts where there is one
    /// stratum: this over [`Comparison::below`].
    pub above: f64,
    /// What [`Comparison::above`] is divided by; 0 where the baseline has no bad event.
    pub below: f64,
    /// Bad events that the canary has and would not have had at its baseline's share, stratum
    /// by stratum; signed.
    pub excess: f64,
}

impl Comparison {
    /// Compares stratum by stratum. `None` where none has events of both cohorts.
    pub fn of(strata: &[Stratum]) -> Option<Self> {
        let mut kept = strata.iter().filter(|stratum| stratum.is_comparable());
        let first = *kept.next()?;
        let whole = |stratum: &Stratum| stratum.canary.total + stratum.baseline.total;
        let (above, below) = (first.canary.bad * first.baseline.total, first.baseline.bad * first.canary.total);
        let mut all = Self { sums: first, dropped: 0, above, below, excess: first.excess() };
        for (position, stratum) in kept.enumerate() {
            if position == 0 {
                (all.above, all.below) = (above / whole(&first), below / whole(&first));
            }
            let Stratum { canary, baseline } = *stratum;
            all.sums.canary = all.sums.canary.plus(canary);
            all.sums.baseline = all.sums.baseline.plus(baseline);
            all.above += canary.bad / whole(stratum) * baseline.total;
            all.below += baseline.bad / whole(stratum) * canary.total;
            all.excess += stratum.excess();
        }
        let is_seen = |stratum: &&Stratum| stratum.canary.total > 0.0 || stratum.baseline.total > 0.0;
        let dropped = strata.iter().filter(is_seen).filter(|stratum| !stratum.is_comparable()).count();
        Some(Self { dropped: u32::try_from(dropped).unwrap_or(u32::MAX), ..all })
    }

    /// The rate ratio; `None` of nothing by nothing, infinite by nothing alone.
    pub fn ratio(&self) -> Option<f64> {
        (self.above > 0.0 || self.below > 0.0).then(|| self.above / self.below)
    }
}

/// Bounds of the rate ratio of `strata`, each missed with a chance of at most `level`, by
/// events of each cohort that are worth 1/`dispersion` of their own each: from 0 to infinity where no event is bad.
///
/// `None` where no stratum has events of both cohorts.
pub fn ratio_bounds(strata: &[Stratum], dispersion: [f64; 2], level: f64) -> Option<(f64, f64)> {
    let worth = |stratum: &Stratum| stratum.worth(dispersion);
    let kept: Vec<Stratum> = strata.iter().filter(|stratum| stratum.is_comparable()).map(worth).collect();
    let Stratum { canary, baseline } = Comparison::of(&kept)?.sums;
    if canary.bad + baseline.bad <= 0.0 {
        return Some((0.0, f64::INFINITY));
    }
    if let [_] = kept[..] {
        let interval = rate_ratio_interval(canary.bad, baseline.bad, canary.total, baseline.total, level)?;
        return Some((interval.low, interval.high));
    }
    let share = proportion(canary.bad, canary.bad + baseline.bad, level)?;
    let low = if canary.bad > 0.0 { ratio_at(&kept, share.low) } else { 0.0 };
    let high = if baseline.bad > 0.0 { ratio_at(&kept, share.high) } else { f64::INFINITY };
    Some((low, high))
}

/// The rate ratio at which the canary is expected to have `share` of the bad events.
fn ratio_at(strata: &[Stratum], share: f64) -> f64 {
    let bad: f64 = strata.iter().map(|stratum| stratum.canary.bad + stratum.baseline.bad).sum();
    let expected = |ln_ratio: f64| {
        let of = |stratum: &Stratum| {
            let ln_odds = ln_ratio + (stratum.canary.total / stratum.baseline.total).ln();
            (stratum.canary.bad + stratum.baseline.bad) / (1.0 + (-ln_odds).exp())
        };
        strata.iter().map(of).sum::<f64>() / bad
    };
    let (mut low, mut high) = (-FAR_LN_RATIO, FAR_LN_RATIO);
    for _ in 0..HALVINGS {
        let middle = f64::midpoint(low, high);
        if expected(middle) < share { low = middle } else { high = middle }
    }
    low.exp()
}

/// Newcombe's interval of the difference of two shares, each bound missed with a chance of
/// about `level`. `None` without events of either arm.
pub fn share_difference(canary: Arm, baseline: Arm, level: f64) -> Option<Interval> {
    if !(Stratum { canary, baseline }).is_comparable() {
        return None;
    }
    let z = normal_upper_inverse(level);
    let estimate = canary.share() - baseline.share();
    let (own, other) = (wilson(canary, z), wilson(baseline, z));
    let below = (own.estimate - own.low).hypot(other.high - other.estimate);
    let above = (own.high - own.estimate).hypot(other.estimate - other.low);
    Some(Interval { estimate, low: estimate - below, high: estimate + above })
}

/// Wilson's score interval (1927) of a share, as counts: there it is finite however few events
/// there are.
fn wilson(arm: Arm, z: f64) -> Interval {
    let share = arm.share();
    let (centre, whole) = (arm.bad + 0.5 * z * z, arm.total + z * z);
    let half = z * (arm.bad * (1.0 - share) + 0.25 * z * z).sqrt();
    Interval { estimate: share, low: (centre - half) / whole, high: (centre + half) / whole }
}

/// [`Comparison::excess`] of `strata` with Newcombe's bounds, by events of each cohort that are
/// worth 1/`dispersion` of their own each. `None` where no stratum has events of both cohorts.
pub fn excess_interval(strata: &[Stratum], dispersion: [f64; 2], level: f64) -> Option<Interval> {
    let estimate = Comparison::of(strata)?.excess;
    let (mut below, mut above) = (0.0, 0.0);
    for stratum in strata {
        let Stratum { canary, baseline } = stratum.worth(dispersion);
        let Some(difference) = share_difference(canary, baseline, level) else { continue };
        let events = |part: f64| part * stratum.canary.total;
        below = f64::hypot(below, events(difference.estimate - difference.low));
        above = f64::hypot(above, events(difference.high - difference.estimate));
    }
    Some(Interval { estimate, low: estimate - below, high: estimate + above })
}

/// The standard deviation of the sum of the excesses of `waves`. Those that overlap share a
/// baseline and with it its chance, so the sum of their own variances is too small; `shared`
/// is how much of their baselines two of them have in common, in [0, 1].
pub fn joint_excess_deviation(waves: &[Stratum], shared: impl Fn(usize, usize) -> f64) -> f64 {
    let mut variance = 0.0;
    for (position, wave) in waves.iter().enumerate().filter(|(_, wave)| wave.is_comparable()) {
        let of_baseline = |wave: &Stratum| wave.canary.total * wave.baseline.variance().sqrt();
        let own = of_baseline(wave);
        variance += wave.canary.bad * (1.0 - wave.canary.share()) + own * own;
        for (other, wave) in waves.iter().enumerate().take(position).filter(|(_, wave)| wave.is_comparable()) {
            variance += 2.0 * shared(position, other).clamp(0.0, 1.0) * own * of_baseline(wave);
        }
    }
    variance.sqrt()
}
