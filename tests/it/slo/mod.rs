//! Error budgets: what a service's slices say of its SLO.

#![expect(clippy::unwrap_used, reason = "a record that lacks what its kind has is a failed test")]

mod budget;
mod properties;
mod slices;
mod turns;

use std::time::Duration;
use wavegate::rules::Period;
use wavegate::rules::Slo;
use wavegate::rules::parse_slo;
use wavegate::series::Counts;
use wavegate::series::Fraction;
use wavegate::series::ServiceReading;
use wavegate::series::Slices;
use wavegate::series::SpanReading;
use wavegate::series::Timestamp;

const MINUTE: Duration = Duration::from_mins(1);
const DAY: Duration = Duration::from_hours(24);

/// The instant `count` minutes after the epoch.
fn minute(count: i64) -> Timestamp {
    Timestamp::from_millis(count * 60_000)
}

#[expect(clippy::unnecessary_wraps, reason = "slices are optional")]
fn counts(bad: f64, total: f64) -> Option<Counts> {
    Some(Counts { bad, total })
}

/// An SLO of 30 days by the minute with the usual tiers, which samples reach at once and
/// where one bad event is enough.
fn slo(objective: &str) -> Slo {
    let text = "version: 1\nname: checkout\nobjective: 99.9%\nindicator:\n  ratio: { bad: 'errors_total', total: requests_total }\n";
    let mut slo = parse_slo("slo.yaml", text).unwrap().slo;
    slo.objective = Fraction::percent(objective).unwrap();
    (slo.settle, slo.min_bad) = (Duration::ZERO, 1);
    slo
}

/// As [`slo`], promised over so many minutes, with no tier.
fn slo_of_minutes(objective: &str, minutes: usize) -> Slo {
    let length = MINUTE * u32::try_from(minutes).unwrap();
    Slo { period: Period::Rolling(length), tiers: Vec::new(), ..slo(objective) }
}

/// Slices by the minute from the epoch on.
fn by_minute(slots: &[Option<Counts>]) -> Slices {
    let mut slices = Slices::new(MINUTE, minute(0));
    slices.put(minute(0), slots);
    slices
}

/// A reading of these windows and nothing else.
fn reading(windows: Vec<SpanReading>) -> ServiceReading {
    let nothing = SpanReading { length: DAY * 30, counts: None, seen: 0, slices: 43_200, bad_events: 0.0 };
    ServiceReading {
        through: minute(43_200),
        windows,
        period: nothing,
        events: nothing,
        period_from: minute(0),
        period_to: minute(43_200),
        seen_from: None,
        spent_by_others: 0.0,
        paging: Vec::new(),
        before: None,
    }
}

/// A window in which this was counted.
fn window(length: Duration, counts: Option<Counts>) -> SpanReading {
    let slices = u32::try_from(length.as_secs() / 60).unwrap();
    let bad_events = counts.map_or(0.0, |counts| counts.bad);
    SpanReading { length, counts, seen: if counts.is_some() { slices } else { 0 }, slices, bad_events }
}
