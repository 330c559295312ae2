//! Text of a rule file of Prometheus.

use crate::rules::units::decimal_text;
use crate::series::Fraction;
use std::fmt::Write as _;
use std::time::Duration;

/// Widest line of a comment.
const WIDTH: usize = 92;

const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;

/// `text` as a scalar of YAML, whatever is in it.
pub(super) fn yaml(text: &str) -> String {
    let breaks =
        |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}');
    if !text.contains(breaks) {
        return format!("'{}'", text.replace('\'', "''"));
    }
    let mut out = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => out.extend(['\\', character]),
            c if breaks(c) => drop(write!(out, "\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// `text` as it stands in a template of an alert: what would open an action is a string.
pub(super) fn untemplated(text: &str) -> String {
    text.replace("{{", "{{ \"{{\" }}")
}

/// A comment between two groups, of as many lines as it takes.
pub(super) fn commented(text: &mut String, remark: &str) {
    let mut line = String::from("  #");
    for word in remark.split_whitespace() {
        if WIDTH < line.chars().count() + 1 + word.chars().count() {
            let _ = writeln!(text, "{line}");
            line = String::from("  #");
        }
        line.push(' ');
        line.push_str(word);
    }
    let _ = writeln!(text, "{line}");
}

/// `fraction` in PromQL: digit by digit, or as a quotient where that has no end. Both are
/// read as the float nearest to it, so that a ratio which is it exactly is not above it.
pub(super) fn number(fraction: Fraction) -> String {
    let (numerator, denominator) = fraction.parts();
    decimal_text(fraction).unwrap_or_else(|| format!("({numerator} / {denominator})"))
}

/// `factor` for people.
pub(super) fn factor_text(factor: Fraction) -> String {
    decimal_text(factor).filter(|text| text.len() <= 8).unwrap_or_else(|| format!("{:.2}", factor.as_f64()))
}

/// How long the whole budget of `period` lasts at a burn rate of `factor`; empty for 0.
pub(super) fn lasting(period: Duration, factor: Fraction) -> String {
    let (numerator, denominator) = factor.parts();
    let seconds = (u128::from(period.as_secs()) * denominator).checked_div(numerator).unwrap_or(0);
    let seconds = u64::try_from(seconds).unwrap_or(u64::MAX);
    let tenths = |unit: u64| {
        let tenths = seconds / (unit / 10);
        if tenths.is_multiple_of(10) { (tenths / 10).to_string() } else { format!("{}.{}", tenths / 10, tenths % 10) }
    };
    if seconds < 3 * DAY { format!("{} h", tenths(HOUR)) } else { format!("{} d", tenths(DAY)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_lasts_its_period_divided_by_the_burn_rate() {
        let days = |count: u64| Duration::from_hours(24 * count);
        for (period, factor, expect) in [
            (days(30), "14.4", "50 h"),
            (days(30), "6", "5 d"),
            (days(30), "3", "10 d"),
            (days(30), "1", "30 d"),
            (days(28), "14", "48 h"),
            (days(7), "13.44", "12.5 h"),
        ] {
            assert_eq!(lasting(period, Fraction::decimal(factor).expect("a decimal")), expect);
        }
    }

    #[test]
    fn a_threshold_is_exact() {
        let exact = |factor: &str, objective: &str| {
            let budget = Fraction::percent(objective).and_then(Fraction::complement).expect("a budget");
            number(Fraction::decimal(factor).and_then(|factor| factor.times(budget)).expect("a product"))
        };
        assert_eq!(exact("14.4", "99.9"), "0.0144");
        assert_eq!(exact("6", "99.95"), "0.003");
        assert_eq!(number(Fraction::new(7, 7500).expect("a fraction")), "(7 / 7500)");
    }

    #[test]
    fn no_text_leaves_its_scalar() {
        for (text, expect) in [
            ("plain", "'plain'"),
            ("it's: # {a}", "'it''s: # {a}'"),
            ("a\nb\"\\", "\"a\\u000ab\\\"\\\\\""),
            ("\u{2028}", "\"\\u2028\""),
        ] {
            assert_eq!(yaml(text), expect);
        }
        assert_eq!(untemplated("a {{ $x }}"), "a {{ \"{{\" }} $x }}");
    }
}
