//! What an SLO counts, as questions: of the cohorts of a wave, or of the service as a whole.

use crate::rules::Indicator;
use crate::rules::query::BoundMatchers;
use crate::rules::query::Selector;
use crate::sources::gather::instances::Part;
use crate::sources::gather::plan::Asked;
use crate::sources::gather::plan::Counter;

/// Whether it is asked for each window what is missing there: that a counter exists at
/// all, or which bounds a histogram has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Besides {
    /// For each, as of a wave.
    Asked,
    /// Whoever counts a month asks once, in the end, and meets outages of the source.
    Omitted,
}

/// What `indicator` asks of `cohort`.
pub(super) fn asked(indicator: &Indicator, cohort: &BoundMatchers, besides: Besides) -> Asked {
    let lasting = |counter: Counter| if besides == Besides::Asked { counter } else { counter.over_outages() };
    let ratio = |part: &Selector, total: &Selector, is: Part| {
        let [one, all] = [part, total].map(|selector| lasting(Counter::of(selector, cohort)));
        Asked::Ratio { part: one, is, total: all, relaxed: (besides == Besides::Asked).then(|| part.relaxed()) }
    };
    match indicator {
        Indicator::Bad { bad, total } => ratio(bad, total, Part::Bad),
        Indicator::Good { good, total } => ratio(good, total, Part::Good),
        Indicator::Latency { histogram, threshold } => {
            let two = cohort.and_matching("le", &bounds(*threshold));
            let every = (besides == Besides::Asked).then(|| every(histogram, cohort));
            let [classic, native] = [Counter::buckets(histogram, &two), Counter::of(histogram, cohort)].map(lasting);
            Asked::Above { classic, native, threshold: *threshold, every }
        }
        Indicator::Up { gauge } => Asked::Up { gauge: Counter::of(gauge, cohort) },
    }
}

/// The selectors of all that `indicator` may read of `cohort`.
pub(super) fn selectors(indicator: &Indicator, cohort: &BoundMatchers) -> Vec<String> {
    match indicator {
        Indicator::Bad { bad: part, total } | Indicator::Good { good: part, total } => {
            vec![part.bind(cohort), total.bind(cohort)]
        }
        Indicator::Latency { histogram, .. } => vec![every(histogram, cohort), histogram.bind(cohort)],
        Indicator::Up { gauge } => vec![gauge.bind(cohort)],
    }
}

/// The selector of every bucket of `histogram`.
pub(super) fn every(histogram: &Selector, cohort: &BoundMatchers) -> String {
    histogram.bind_suffixed("_bucket", cohort)
}

/// A pattern of `le` that is met by each way in which client libraries and servers write
/// `threshold`, and by infinity: `0.3`, `1`, `1.0`, `1e-05`, `1.0E-5`, `+Inf`. Which
/// bucket it is, is decided by its number.
fn bounds(threshold: f64) -> String {
    let sign = if threshold < 0.0 { "-" } else { "[+]?" };
    let plain = format!("{}", threshold.abs());
    let scientific = format!("{:e}", threshold.abs());
    let (digits, power) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let (minus, power) = power.strip_prefix('-').map_or(("[+]?", power), |power| ("-", power));
    format!("{sign}(0*{}|{}[eE]{minus}0*{power})|[+]?Inf", padded(&plain), padded(digits))
}

/// `decimal` with any zeros behind its last place.
fn padded(decimal: &str) -> String {
    match decimal.split_once('.') {
        Some((whole, places)) => format!("{whole}[.]{places}0*"),
        None => format!("{decimal}([.]0*)?"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::series::histogram::parse_bound;

    #[test]
    fn a_bound_is_found_however_it_is_written() {
        for (threshold, spellings) in [
            (0.3, &["0.3", "0.30", "00.3", "+0.3", "3e-1", "3e-01", "3.0E-1"][..]),
            (1.0, &["1", "1.0", "1.", "+1", "01", "1e0", "1e+00", "1.0E0"]),
            (10.0, &["10", "10.0", "1e1", "1e+01", "1.0E1"]),
            (1e-5, &["0.00001", "1e-05", "1e-5", "1.0E-5"]),
            (1_000_000.0, &["1000000", "1000000.0", "1e+06", "1e6", "1.0E6"]),
            (2.5e7, &["25000000", "2.5e+07", "2.5E7"]),
            (0.0, &["0", "0.0", "0e0"]),
            (-2.5, &["-2.5", "-2.50", "-2.5e+00"]),
        ] {
            let pattern = regex::Regex::new(&format!("^(?:{})$", bounds(threshold))).unwrap();
            for text in spellings {
                assert!(pattern.is_match(text), "{threshold} as {text}: {pattern}");
                assert_eq!(parse_bound(text), Some(threshold), "{text}");
            }
            for infinite in ["+Inf", "Inf"] {
                assert!(pattern.is_match(infinite));
            }
            for other in ["0.31", "3", "11", "100", "0.000001", "", "-1", "Info"] {
                assert!(!pattern.is_match(other), "{threshold} is not {other}: {pattern}");
            }
        }
    }
}
