//! The values of a series in the notation of `promtool test rules`.
//!
//! ```text
//! 7             one sample
//! 1x3           1 1 1 1          a value and n more of it
//! 0+10x3        0 10 20 30       n steps, so n + 1 samples
//! 9-2.5x2       9 6.5 4
//! _  _x3        one scrape, three scrapes, without a sample
//! stale         the series ends here
//! NaN Inf -Inf 1e3
//! ```
//! Parts are divided by blanks. What is written is kept as it is written, so that
//! `0+1x1000000000` costs nothing before somebody asks how much it would be.
//!
//! Reference: <https://prometheus.io/docs/prometheus/latest/configuration/unit_testing_rules/>.

use std::ops::Range;

/// What a scrape shows of one series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Point {
    /// This value.
    Value(f64),
    /// Nothing; the series goes on.
    Missing,
    /// Nothing; the series has ended.
    Stale,
}

/// Values, one a scrape.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Values(Vec<Run>);

/// Neighbours that one part stands for.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Run {
    /// `begin + k·step` for the first `count` whole k.
    Line {
        begin: f64,
        step: f64,
        count: u64,
    },
    Missing {
        count: u64,
    },
    Stale,
}

/// A part that is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NotValues {
    /// Where it stands, in bytes.
    pub(super) at: Range<usize>,
    pub(super) message: String,
}

impl Values {
    /// The values that `text` stands for.
    pub(super) fn parse(text: &str) -> Result<Self, NotValues> {
        let parts = text.split([' ', '\t', '\n']).filter(|part| !part.is_empty());
        let run = |part: &str| {
            Run::parse(part).map_err(|message| {
                let begin = part.as_ptr().addr() - text.as_ptr().addr();
                NotValues { at: begin..begin + part.len(), message }
            })
        };
        parts.map(run).collect::<Result<Vec<Run>, NotValues>>().map(Self)
    }

    /// How many scrapes they cover.
    pub fn len(&self) -> u64 {
        self.0.iter().map(Run::len).fold(0, u64::saturating_add)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// One for each scrape.
    pub fn points(&self) -> impl Iterator<Item = Point> {
        self.0.iter().flat_map(|run| {
            let run = *run;
            (0..run.len()).map(move |k| run.point(k))
        })
    }
}

impl Run {
    fn parse(part: &str) -> Result<Self, String> {
        let (what, times) = match part.split_once('x') {
            Some((what, times)) => (what, Some(count(times)?)),
            None => (part, None),
        };
        match (what, times) {
            ("_", times) => return Ok(Self::Missing { count: times.unwrap_or(1) }),
            ("stale", None) => return Ok(Self::Stale),
            ("stale", Some(_)) => return Err("a series ends once: `stale` is not repeated".to_owned()),
            _ => {}
        }
        // The sign between begin and step is none that begins a number or an exponent.
        let bytes = what.as_bytes();
        let is_joint = |at: &usize| matches!(bytes[*at], b'+' | b'-') && !matches!(bytes[at - 1], b'e' | b'E');
        let joint = (1..bytes.len()).find(is_joint);
        let (begin, step) = what.split_at(joint.unwrap_or(what.len()));
        let begin = number(begin)?;
        match (joint, times) {
            (None, times) => Ok(Self::Line { begin, step: 0.0, count: times.unwrap_or(0).saturating_add(1) }),
            (Some(_), Some(times)) => {
                let step = number(step)?;
                if !(begin.is_finite() && step.is_finite()) {
                    return Err("a line begins with a finite number and has a finite step".to_owned());
                }
                Ok(Self::Line { begin, step, count: times.saturating_add(1) })
            }
            (Some(_), None) => Err("it has a step and does not say how often: `0+10x60`".to_owned()),
        }
    }

    fn len(&self) -> u64 {
        match *self {
            Self::Line { count, .. } | Self::Missing { count } => count,
            Self::Stale => 1,
        }
    }

    fn point(self, k: u64) -> Point {
        match self {
            #[expect(clippy::cast_precision_loss, reason = "no test has 2^53 samples")]
            Self::Line { begin, step, .. } if step != 0.0 => Point::Value(begin + k as f64 * step),
            Self::Line { begin, .. } => Point::Value(begin),
            Self::Missing { .. } => Point::Missing,
            Self::Stale => Point::Stale,
        }
    }
}

fn count(text: &str) -> Result<u64, String> {
    // Digits alone: `u64` would take a sign too.
    let plain = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| plain).ok_or_else(|| "what stands behind `x` is no count".to_owned())
}

fn number(text: &str) -> Result<f64, String> {
    let digits = text.trim_start_matches(['+', '-']);
    let known = matches!(digits, "NaN" | "Inf") || digits.starts_with(|c: char| c.is_ascii_digit() || c == '.');
    let parsed = text.parse().ok().filter(|_| known && text.len() <= digits.len() + 1);
    parsed.ok_or_else(|| "it is no number, no `_` and no `stale`".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expect: &str) {
        let shown = |point| match point {
            Point::Value(value) => format!("{value}"),
            Point::Missing => "_".to_owned(),
            Point::Stale => "stale".to_owned(),
        };
        let values = Values::parse(text).unwrap();
        let found: Vec<String> = values.points().map(shown).collect();
        assert_eq!(found.join(" "), expect, "{text}");
        assert_eq!(values.len(), found.len() as u64, "{text}");
    }

    #[test]
    fn values_are_those_of_promtool() {
        check("", "");
        check("1 2\t3", "1 2 3");
        check("-2+4x3", "-2 2 6 10");
        check(" 1-2x4", "1 -1 -3 -5 -7");
        check("1x4", "1 1 1 1 1");
        check("1 _x3 stale", "1 _ _ _ stale");
        check("_ 1 _", "_ 1 _");
        check("0+10x2 100x1 0-0.5x1", "0 10 20 100 100 0 -0.5");
        check("1e3+1e-1x1", "1000 1000.1");
        check("-1E+2-2e1x2", "-100 -120 -140");
        check("+5 .5 5.", "5 0.5 5");
        check("NaN Inf -Inf +Inf Infx1", "NaN inf -inf inf inf inf");
        check("0x3", "0 0 0 0");
        check("7x0 7+1x0 _x0", "7 7");
    }

    #[test]
    fn what_is_no_value_is_told_with_its_place() {
        for (text, at) in [
            ("1 2 three", 4..9),
            ("0+10", 0..4),
            ("0+10x", 0..5),
            ("0+10x-1", 0..7),
            ("0+10x+1", 0..7),
            ("0+10x1.5", 0..8),
            ("1x2x3", 0..5),
            ("stalex2", 0..7),
            ("Stale", 0..5),
            ("nan", 0..3),
            ("infinity", 0..8),
            ("Inf+1x2", 0..7),
            ("0+Infx2", 0..7),
            ("--1", 0..3),
            ("1++1x2", 0..6),
            ("0x99999999999999999999999", 0..25),
            ("1,2", 0..3),
            ("é", 0..2),
            ("x3", 0..2),
            ("+", 0..1),
            ("e", 0..1),
        ] {
            assert_eq!(Values::parse(text).unwrap_err().at, at, "{text}");
        }
    }

    #[test]
    fn a_billion_samples_are_counted_and_not_made() {
        assert_eq!(Values::parse("0x1000000000").unwrap().len(), 1_000_000_001);
        assert_eq!(Values::parse("0x18446744073709551615 _x9").unwrap().len(), u64::MAX);
    }
}
