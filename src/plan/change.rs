//! A change as somebody writes it: one grammar for what is planned and what is simulated.

use crate::plan::scene::value;
use crate::rules::Check;
use crate::rules::CheckKind;
use crate::rules::GaugeScale;
use crate::rules::RuleFile;
use crate::rules::Worse;
use std::ops::Range;

/// The largest excess of probability: at 1/2 every request is slower.
pub(crate) const EXCESS_MAX: f64 = 0.45;
/// Factors: beyond, a service is another.
const FACTORS: Range<f64> = 0.001..1000.0;

/// What an upgrade does to what one check sees.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Change {
    /// So many times the errors, the latency or the value; without a baseline so many times the
    /// check's floor.
    Factor(f64),
    /// A canary event is larger than a baseline event with a chance of one half and this.
    Excess(f64),
}

impl Change {
    /// Reads `CHECK=CHANGE`, with the place of the check in `rules`: `errors=3x`, `cpu=+20%`,
    /// `latency=6pp`, and `depth=12` where the margins are in the unit of the query. Without a
    /// sign it is for the worse.
    ///
    /// # Errors
    /// What is wrong with it, and what to write instead.
    pub fn read(rules: &RuleFile, text: &str) -> Result<(usize, Self), String> {
        let (name, change) =
            text.rsplit_once('=').ok_or_else(|| format!("`{text}` is not CHECK=CHANGE, such as `errors=3x`"))?;
        let place = rules.checks.iter().position(|check| check.name == name).ok_or_else(|| {
            let names: Vec<&str> = rules.checks.iter().map(|check| check.name.as_str()).collect();
            format!("no check is called `{name}`; there are {}", names.join(", "))
        })?;
        let check = &rules.checks[place];
        let read = Self::of(check, change).ok_or_else(|| {
            let kind = check.kind.word();
            format!("`{change}` is not a change of `{name}`, a {kind}: write {}", example(check))
        })?;
        Ok((place, read))
    }

    /// Reads the change of `check`.
    fn of(check: &Check, text: &str) -> Option<Self> {
        let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic() || c == '%');
        let number: f64 = digits.parse().ok().filter(|number: &f64| number.is_finite())?;
        let falls = check.kind.policy().is_some_and(|policy| policy.worse == Worse::Decrease);
        // `20%` of something that may only fall is a fall.
        let signed = if falls && !text.starts_with('+') { -number.abs() } else { number };
        let change = match &text[digits.len()..] {
            "x" => Self::Factor(number),
            "%" => Self::Factor(1.0 + signed / 100.0),
            "pp" if matches!(check.kind, CheckKind::Histogram { .. }) => Self::Excess(signed / 100.0),
            "" if is_absolute(check) => Self::Factor(1.0 + signed / value(&check.kind)),
            _ => return None,
        };
        let sensible = match change {
            Self::Factor(factor) => FACTORS.contains(&factor),
            Self::Excess(excess) => excess.abs() <= EXCESS_MAX,
        };
        sensible.then_some(change)
    }
}

fn is_absolute(check: &Check) -> bool {
    matches!(check.kind, CheckKind::Gauge { scale: GaugeScale::Absolute, .. })
}

fn example(check: &Check) -> &'static str {
    match &check.kind {
        CheckKind::Histogram { .. } => "`4pp`, or `20%` for everything slower by so much",
        CheckKind::Ratio { .. } | CheckKind::Threshold { .. } => "`3x` or `200%`, up to 1000x",
        CheckKind::Gauge { scale: GaugeScale::Absolute, .. } => "`0.3`, in the unit of the query, or `20%`",
        CheckKind::Quantile { .. } | CheckKind::Gauge { .. } => "`20%`, `-20%` or `1.2x`",
    }
}
