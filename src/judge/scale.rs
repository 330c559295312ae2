//! In what a gauge's shift is measured.
//!
//! Ratios are differences of logarithms, as long as every value is positive; what falls to
//! zero or below is measured in the unit of the query, or in baselines.

use crate::judge::Cause;
use crate::judge::Unit;
use crate::rules::GaugeScale;
use crate::rules::Worse;
use crate::stats;

/// A scale on which a shift is a difference.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Scale {
    /// Logarithms: every value is positive.
    Log,
    /// Differences, and what a change of 100 % is of them: the baseline's median at the first look.
    Median(f64),
    /// Differences in the unit of the query.
    Unit,
}

impl Scale {
    /// That of relative margins for the values of the first look.
    pub(crate) fn relative(stated: GaugeScale, canary: &[f64], baseline: &[f64]) -> Self {
        let positive = canary.iter().chain(baseline).all(|value| *value > 0.0);
        if positive && stated != GaugeScale::Median { Self::Log } else { Self::Median(stats::median(baseline).abs()) }
    }

    /// What a change on it is called.
    pub(crate) fn unit(self) -> Unit {
        if self == Self::Unit { Unit::AbsoluteChange } else { Unit::RelativeChange }
    }

    pub(crate) fn difference(self, canary: f64, baseline: f64) -> f64 {
        match self {
            Self::Log => (canary / baseline).ln(),
            Self::Median(_) | Self::Unit => canary - baseline,
        }
    }

    /// A value on this scale.
    pub(crate) fn of(self, value: f64) -> f64 {
        if self == Self::Log { value.ln() } else { value }
    }

    /// A change as people write it, as a difference on this scale.
    pub(crate) fn inner(self, change: f64) -> f64 {
        match self {
            Self::Log => change.ln_1p(),
            Self::Median(unit) => change * unit,
            Self::Unit => change,
        }
    }

    /// A difference on this scale as people read it.
    pub(crate) fn outer(self, difference: f64) -> f64 {
        match self {
            Self::Log => difference.exp_m1(),
            Self::Median(unit) if unit > 0.0 => difference / unit,
            // Only where every value of both cohorts is 0.
            Self::Median(_) | Self::Unit => difference,
        }
    }

    /// [`Scale::outer`] of an estimate with its bounds.
    pub(crate) fn outer_all(self, shift: stats::Interval) -> stats::Interval {
        stats::Interval {
            estimate: self.outer(shift.estimate),
            low: self.outer(shift.low),
            high: self.outer(shift.high),
        }
    }

    /// Whether a tenth of the canary's values lies beyond `pass_within` on a side that is worse,
    /// as the baseline's do not: what is sometimes far worse must not pass by its mean.
    pub(crate) fn scatters(self, canary: &[f64], baseline: &[f64], worse: Worse, pass_within: f64) -> Option<Cause> {
        // A logarithm keeps the order, so the deciles of it are those of the values.
        let of = |values: &[f64]| {
            let deciles = stats::Deciles::of(values)?;
            Some(stats::Deciles { low: self.of(deciles.low), high: self.of(deciles.high) })
        };
        let (own, other) = (of(canary)?, of(baseline)?);
        let above = worse != Worse::Decrease && own.reach_above(&other, self.inner(pass_within));
        let below = worse != Worse::Increase && own.reach_below(&other, -self.inner(-pass_within));
        let found = Cause::WiderScatter {
            canary: self.outer(own.width()),
            baseline: self.outer(other.width()),
            unit: self.unit(),
        };
        (above || below).then_some(found)
    }

    /// A value moved by a change.
    pub(crate) fn moved(self, value: f64, change: f64) -> f64 {
        match self {
            Self::Log => value * (1.0 + change),
            Self::Median(unit) => value + unit * change,
            Self::Unit => value + change,
        }
    }
}
