//! Numbers with units, as rule files and PromQL write them.

use crate::series::Fraction;
use std::fmt::Write as _;
use std::time::Duration;

/// Units of a duration, longest first, in milliseconds.
const SPANS: &[(&str, u64)] = &[
    ("y", 365 * 86_400_000),
    ("w", 7 * 86_400_000),
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1000),
    ("ms", 1),
];

/// Most places after the point: a factor of as many as people write, times an objective of as many.
const DECIMALS_MAX: u32 = 30;

/// A duration in PromQL's notation: `15s`, `1h30m`, `0s`. Units descend, each at
/// most once; a number without a unit is none.
pub fn duration(text: &str) -> Option<Duration> {
    let mut millis: u64 = 0;
    let mut units = SPANS;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let (count, tail) = rest.split_at(digits);
        let letters = tail.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(tail.len());
        let place = units.iter().position(|(unit, _)| *unit == &tail[..letters])?;
        // promql-parser takes a count beyond 32 bits for none at all.
        let count = u64::from(count.parse::<u32>().ok()?);
        millis = millis.checked_add(count.checked_mul(units[place].1)?)?;
        units = &units[place + 1..];
        rest = &tail[letters..];
    }
    (!text.is_empty()).then(|| Duration::from_millis(millis))
}

/// A duration in PromQL's notation, in whole milliseconds.
pub fn duration_text(span: Duration) -> String {
    let mut millis = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
    let mut text = String::new();
    // Days are the largest: nobody counts `12w6d`.
    for (unit, size) in &SPANS[2..] {
        if millis >= *size {
            let _ = write!(text, "{}{unit}", millis / size);
            millis %= size;
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

/// `fraction` digit by digit; `None` where it has no end, or more digits than are kept.
pub(in crate::rules) fn decimal_text(fraction: Fraction) -> Option<String> {
    let (numerator, denominator) = fraction.parts();
    let (whole, mut rest) = (numerator / denominator, numerator % denominator);
    let mut text = whole.to_string();
    let mut places = 0;
    while rest != 0 {
        if places == DECIMALS_MAX {
            return None;
        }
        if places == 0 {
            text.push('.');
        }
        rest = rest.checked_mul(10)?;
        let _ = write!(text, "{}", rest / denominator);
        rest %= denominator;
        places += 1;
    }
    Some(text)
}

/// What a margin or a share is measured in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    /// `1.25x`: the factor itself.
    Factor,
    /// `2pp`: percentage points, stored as a probability.
    Points,
    /// `5%`: stored as a fraction.
    Percent,
    /// `0.2`: in the unit of a query, which is not written.
    Plain,
}

impl Unit {
    /// What a value in this unit is called.
    pub(super) fn noun(self) -> &'static str {
        match self {
            Self::Factor => "a factor",
            Self::Points => "a number of percentage points",
            Self::Percent => "a percentage",
            Self::Plain => "a plain number",
        }
    }

    /// How it is written.
    pub(super) fn suffix(self) -> &'static str {
        match self {
            Self::Factor => "x",
            Self::Points => "pp",
            Self::Percent => "%",
            Self::Plain => "",
        }
    }

    /// `value`, as it is stored, as it is written.
    pub(super) fn text(self, value: f64) -> String {
        let written = match self {
            Self::Factor | Self::Plain => value,
            // Two places more than anybody writes; the rest is the noise of binary fractions.
            Self::Points | Self::Percent => (value * 1e8).round() / 1e6,
        };
        format!("{written}{}", self.suffix())
    }
}

/// A number with `unit` right behind it, not negative: `1.25x`, `2pp`, `5%`.
pub(super) fn quantity(text: &str, unit: Unit) -> Option<f64> {
    let number = text.strip_suffix(unit.suffix()).filter(|number| is_plain(number))?;
    // The decimal point is moved in the text: 1.1 ÷ 100 is not the number nearest to 0.011.
    match unit {
        Unit::Factor | Unit::Plain => number.parse().ok(),
        Unit::Points | Unit::Percent => format!("{number}e-2").parse().ok(),
    }
}

/// A number of events in a time, as events a second: `50/s`, `6/m`, `1/h`.
pub(super) fn rate(text: &str) -> Option<f64> {
    let (number, unit) = text.split_once('/')?;
    let seconds = match unit {
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return None,
    };
    let number: f64 = if is_plain(number) { number.parse().ok()? } else { return None };
    Some(number / seconds)
}

/// A quantile in the middle or above, as a share below 1: `p50`, `p99`, `p99.95`.
pub(super) fn quantile(text: &str) -> Option<f64> {
    let number = text.strip_prefix('p').filter(|number| is_plain(number))?;
    let share: f64 = format!("{number}e-2").parse().ok()?;
    (0.5..1.0).contains(&share).then_some(share)
}

/// Digits with a point between them or none.
fn is_plain(number: &str) -> bool {
    let plain = number.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    plain && number.ends_with(|c: char| c.is_ascii_digit()) && number.len() <= 20
}
