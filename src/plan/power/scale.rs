//! In what a change is told, and on what it grows evenly.

use crate::rules::CheckKind;
use crate::rules::GaugeScale;
use crate::rules::Worse;

/// The unit of a check's changes. A size is how much worse, whichever way is worse: no change is
/// 1 of a factor and 0 of the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// Canary rate over baseline rate, or the other way round where less is worse.
    Factor,
    /// Probability above one half that a canary event is worse than a baseline event.
    Points,
    /// Relative change, upward.
    More,
    /// Relative change, downward: at most 1.
    Less,
    /// The unit of a gauge's query.
    Absolute,
}

impl Scale {
    pub(super) fn of(kind: &CheckKind) -> Option<Self> {
        match kind {
            CheckKind::Ratio { .. } => Some(Self::Factor),
            CheckKind::Histogram { .. } => Some(Self::Points),
            CheckKind::Quantile { .. } => Some(Self::More),
            CheckKind::Gauge { scale: GaugeScale::Absolute, .. } => Some(Self::Absolute),
            CheckKind::Gauge { policy, .. } => Some(Self::relative(policy.worse)),
            CheckKind::Threshold { .. } => None,
        }
    }

    pub(super) fn relative(worse: Worse) -> Self {
        if worse == Worse::Decrease { Self::Less } else { Self::More }
    }

    /// No change.
    pub fn none(self) -> f64 {
        if self == Self::Factor { 1.0 } else { 0.0 }
    }

    /// A size where equal steps matter equally.
    pub(super) fn inner(self, size: f64) -> f64 {
        match self {
            Self::Factor => size.ln(),
            Self::More => size.ln_1p(),
            Self::Less => -(-size).ln_1p(),
            Self::Points | Self::Absolute => size,
        }
    }

    /// The size of such a place.
    pub(super) fn outer(self, inner: f64) -> f64 {
        match self {
            Self::Factor => inner.exp(),
            Self::More => inner.exp_m1(),
            Self::Less => -(-inner).exp_m1(),
            Self::Points | Self::Absolute => inner,
        }
    }

    /// The size `times` as far from no change.
    pub(super) fn times(self, size: f64, times: f64) -> f64 {
        match self {
            Self::Factor => 1.0 + (size - 1.0) * times,
            Self::Points => (size * times).min(POINTS_MOST),
            Self::Less => (size * times).min(LESS_MOST),
            Self::More | Self::Absolute => size * times,
        }
    }

    /// As a rule file has it, in the direction that is worse.
    pub(super) fn text_of(self, size: f64, worse: Worse) -> String {
        match (self, worse) {
            (Self::Factor, Worse::Decrease) => self.text(size.recip()),
            (Self::Points | Self::Absolute, Worse::Decrease) => format!("-{}", self.text(size)),
            _ => self.text(size),
        }
    }

    /// As people write it, to three digits.
    pub fn text(self, size: f64) -> String {
        match self {
            Self::Factor => format!("{}x", short(size)),
            Self::Points => format!("{}pp", short(100.0 * size)),
            Self::More => format!("{}%", short(100.0 * size)),
            Self::Less => format!("-{}%", short(100.0 * size)),
            Self::Absolute => short(size),
        }
    }
}

/// No probability is further above one half.
pub(super) const POINTS_MOST: f64 = 0.499;
/// Nothing falls by more.
pub(super) const LESS_MOST: f64 = 0.999;

/// A number to three digits, without zeros that say nothing.
pub(super) fn short(value: f64) -> String {
    if !value.is_finite() || value == 0.0 {
        return if value == 0.0 { "0".to_owned() } else { "-".to_owned() };
    }
    #[expect(clippy::cast_possible_truncation, reason = "the decimal exponent of a double has three digits")]
    let digits = 2 - value.abs().log10().floor() as i32;
    let places = usize::try_from(digits.clamp(0, 9)).unwrap_or(0);
    let text = format!("{value:.places$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_comes_back_from_where_steps_are_even() {
        for (scale, size) in [
            (Scale::Factor, 1.25),
            (Scale::Points, 0.02),
            (Scale::More, 0.1),
            (Scale::Less, 0.3),
            (Scale::Absolute, 7.0),
        ] {
            assert!((scale.outer(scale.inner(size)) - size).abs() < 1e-12);
            assert!(scale.inner(scale.none()).abs() < 1e-12);
        }
    }

    #[test]
    fn sizes_are_written_as_in_a_rule_file() {
        for (scale, size, expect) in [
            (Scale::Factor, 1.25, "1.25x"),
            (Scale::Factor, 3.0, "3x"),
            (Scale::Factor, 12.346, "12.3x"),
            (Scale::Points, 0.0213, "2.13pp"),
            (Scale::More, 0.1, "10%"),
            (Scale::Less, 0.5, "-50%"),
            (Scale::Absolute, 1234.5, "1234"),
            (Scale::Absolute, 0.0, "0"),
        ] {
            assert_eq!(scale.text(size), expect);
        }
    }
}
