//! Over what time an SLO promises, in slices of what length, and how those are counted.

use crate::rules::keys::slo::BUDGETING;
use crate::rules::keys::slo::CALENDAR;
use crate::rules::keys::slo::RATIO_TIMESLICES;
use crate::rules::keys::slo::TIMESLICES;
use crate::rules::parse::required;
use crate::rules::reader::Entry;
use crate::rules::reader::Reader;
use crate::rules::reader::Table;
use crate::rules::reader::quote;
use crate::rules::slo::Budgeting;
use crate::rules::slo::CalendarUnit;
use crate::rules::slo::EmptySlice;
use crate::rules::slo::Period;
use crate::rules::units::Unit;
use crate::rules::units::duration_text;
use crate::rules::windows;
use crate::rules::yaml::RawValue;
use crate::series::Fraction;
use jiff::tz::TimeZone;
use std::ops::RangeInclusive;
use std::time::Duration;

const DAY: Duration = Duration::from_hours(24);

/// Shorter than an hour is no promise, and longer than a year nobody waits for.
const PERIODS: RangeInclusive<Duration> = Duration::from_hours(1)..=Duration::from_hours(366 * 24);

/// Finer than 10 s nobody scrapes by the day, and windows are rarely coarser than an hour.
const SLICES: RangeInclusive<Duration> = Duration::from_secs(10)..=Duration::from_hours(1);

/// Most slices of a period: a leap year of minutes has 527 040. Each is kept in memory, 24 bytes.
const MAX_SLICES: u128 = 600_000;

/// The period and the slice of a file; both with their defaults where they are not right.
pub(super) fn period(reader: &mut Reader<'_>, table: &Table<'_>) -> (Period, Duration) {
    let period = table.get("period").and_then(|entry| length(reader, entry));
    let period_is_right = period.is_some() || table.get("period").is_none();
    let period = period.unwrap_or(Period::Rolling(DAY * 30));
    let slice = table.get("slice").and_then(|entry| {
        let slice = reader.duration(entry)?;
        if !SLICES.contains(&slice) {
            let message = format!("a slice of {} is not 10s to 1h", duration_text(slice));
            reader.error(entry.node.spot, "impossible_slice", message, "`1m` is usual");
            return None;
        }
        Some(slice)
    });
    let slice_is_right = slice.is_some() || table.get("slice").is_none();
    let slice = slice.unwrap_or(Duration::from_mins(1));
    let entry = table.get("slice").or_else(|| table.get("period")).filter(|_| period_is_right && slice_is_right);
    if let Some(entry) = entry {
        let most = period.longest();
        let count = most.as_millis() / slice.as_millis().max(1);
        if count > MAX_SLICES {
            let message = format!("{} of {} are {count} slices", duration_text(most), duration_text(slice));
            let help = format!("at most {MAX_SLICES} are kept: make `slice` longer or `period` shorter");
            reader.error(entry.node.spot, "impossible_slice", message, help);
        } else if let Period::Rolling(length) = period {
            let entry = table.get("period").unwrap_or(entry);
            multiple(reader, entry, length, slice);
        }
    }
    (period, slice)
}

/// Notes where `span` is no whole number of slices; whether it is one.
pub(super) fn multiple(reader: &mut Reader<'_>, entry: Entry<'_>, span: Duration, slice: Duration) -> bool {
    let fits = !span.is_zero() && span.as_millis().is_multiple_of(slice.as_millis().max(1));
    if !fits {
        let (span, slice) = (duration_text(span), duration_text(slice));
        let message = format!("`{}: {span}` is no multiple of the slice of {slice}", entry.key);
        reader.error(entry.node.spot, "not_a_multiple", message, "choose a multiple of it, or a shorter `slice`");
    }
    fits
}

fn length(reader: &mut Reader<'_>, entry: Entry<'_>) -> Option<Period> {
    if let RawValue::Table(_) = entry.node.value {
        return calendar(reader, entry);
    }
    let length = reader.duration(entry)?;
    if !PERIODS.contains(&length) {
        let message = format!("a period of {} is not 1h to 366d", duration_text(length));
        reader.error(
            entry.node.spot,
            "impossible_period",
            message,
            "`30d` is usual, `28d` has as many of each weekday",
        );
        return None;
    }
    Some(Period::Rolling(length))
}

fn calendar(reader: &mut Reader<'_>, entry: Entry<'_>) -> Option<Period> {
    let table = reader.table(entry.node, "`period`", CALENDAR)?;
    let zone = table.get("timezone").map_or(Some(TimeZone::UTC), |entry| windows::zone(reader, entry));
    let unit = required(reader, &table, "calendar", "say what turns: `calendar: month`")?;
    let units = [
        ("week", CalendarUnit::Week),
        ("month", CalendarUnit::Month),
        ("quarter", CalendarUnit::Quarter),
        ("year", CalendarUnit::Year),
    ];
    let unit = reader.word(unit, &units)?;
    Some(Period::Calendar { unit, zone: zone? })
}

/// How events become a share of the budget.
pub(super) fn budgeting(reader: &mut Reader<'_>, entry: Option<Entry<'_>>, time: (&Period, Duration)) -> Budgeting {
    let read = entry.and_then(|entry| {
        if let RawValue::Table(_) = entry.node.value {
            return by_slices(reader, entry, time);
        }
        let text = reader.text(entry, 100)?;
        if text != "occurrences" {
            let message = format!("`budgeting` cannot be {}", quote(text));
            let help = "write `occurrences`, `timeslices: { target: 95% }` or `ratio_timeslices: {}`";
            reader.error(entry.node.spot, "unknown_word", message, help);
        }
        None
    });
    read.unwrap_or(Budgeting::Occurrences)
}

fn by_slices(reader: &mut Reader<'_>, entry: Entry<'_>, time: (&Period, Duration)) -> Option<Budgeting> {
    let table = reader.table(entry.node, "`budgeting`", BUDGETING)?;
    let Some((first, more)) = table.entries().split_first() else {
        let message = "`budgeting` says nothing".to_owned();
        let help = "write `occurrences`, `timeslices` or `ratio_timeslices`";
        reader.error(entry.key_spot, "missing_key", message, help);
        return None;
    };
    let first = *first;
    for second in more {
        let message = format!("budgeting is one thing: `{}` or `{}`", first.key, second.key);
        reader.error(second.key_spot, "impossible_pair", message, "keep one of them");
    }
    let with_target = first.key == "timeslices";
    let known = if with_target { TIMESLICES } else { RATIO_TIMESLICES };
    let table = reader.table(first.node, &format!("`{}`", first.key), known)?;
    let slice = slice_of(reader, &table, first, time);
    let words = [("good", EmptySlice::Good), ("bad", EmptySlice::Bad), ("ignore", EmptySlice::Ignore)];
    let empty = table.get("empty").map_or(Some(EmptySlice::Ignore), |entry| reader.word(entry, &words));
    if !with_target {
        return Some(Budgeting::RatioTimeslices { slice: slice?, empty: empty? });
    }
    let target = required(reader, &table, "target", "say when a slice is good: `target: 95%`")?;
    let share = reader.exact(target, Unit::Percent, "write a share of good events in percent: `95%`")?;
    if share == Fraction::ZERO || share > Fraction::ONE {
        let message = "a target is above 0%, and at most 100%".to_owned();
        reader.error(target.node.spot, "out_of_range", message, "write the share that makes a slice good: `95%`");
        return None;
    }
    Some(Budgeting::Timeslices { target: share, slice: slice?, empty: empty? })
}

fn slice_of(
    reader: &mut Reader<'_>,
    table: &Table<'_>,
    owner: Entry<'_>,
    (period, step): (&Period, Duration),
) -> Option<Duration> {
    let entry = table.get("slice");
    let slice = entry.map_or(Some(Duration::from_mins(5)), |entry| reader.duration(entry))?;
    let at = entry.unwrap_or(owner);
    if !multiple(reader, Entry { key: "slice", ..at }, slice, step) {
        return None;
    }
    if let Period::Rolling(length) = period
        && slice <= *length
        && !length.as_millis().is_multiple_of(slice.as_millis().max(1))
    {
        let (span, length) = (duration_text(slice), duration_text(*length));
        let message = format!("the period of {length} is no multiple of the slice of {span}");
        reader.error(at.node.spot, "not_a_multiple", message, "choose a slice that divides the period: `5m` is usual");
        return None;
    }
    if slice > period.nominal() {
        let message = format!("a slice of {} is longer than the period", duration_text(slice));
        reader.error(at.node.spot, "impossible_slice", message, "`5m` is usual");
        return None;
    }
    Some(slice)
}
