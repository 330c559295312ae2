//! Windows of time, and how events become a share of the budget.

use crate::rules::duration;
use crate::rules::duration_text;
use crate::rules::import::draft::quoted;
use crate::rules::import::foreign::Foreign;
use crate::rules::import::slo_draft::SLICE;
use crate::rules::import::slo_draft::percent_of_share;
use jiff::civil::DateTime;
use jiff::civil::Weekday;
use std::time::Duration;

/// A period, as an SLO file has it.
pub(super) struct DraftPeriod {
    pub(super) text: String,
    /// What tiers are made from.
    pub(super) nominal: Duration,
    pub(super) remarks: Vec<String>,
}

/// The period of an SLO: its one time window.
///
/// # Errors
/// In words: an SLO file has none like it.
pub(super) fn period(spec: &Foreign<'_>) -> Result<DraftPeriod, String> {
    let windows = spec.items_at(&["timeWindow"]);
    let [window] = windows.as_slice() else {
        return Err(format!("it has {} time windows, not one", windows.len()));
    };
    let length = window.text_at(&["duration"]).unwrap_or_default();
    if window.get("isRolling").is_some_and(|flag| flag.is_true()) {
        if length.ends_with(['M', 'Q', 'Y']) {
            return Err(format!("its rolling window of {} has no fixed length: write days", quoted(&length)));
        }
        let length = duration(&length).ok_or_else(|| format!("its window {} is no duration", quoted(&length)))?;
        return Ok(DraftPeriod { text: duration_text(length), nominal: length, remarks: Vec::new() });
    }
    let (unit, days) = match length.as_str() {
        "1w" | "7d" => ("week", 7),
        "1M" => ("month", 30),
        "1Q" | "3M" => ("quarter", 90),
        "1Y" | "12M" => ("year", 365),
        _ => {
            return Err(format!(
                "a calendar has weeks, months, quarters and years here, and its window is {}",
                quoted(&length)
            ));
        }
    };
    let Some(calendar) = window.get("calendar") else {
        return Err("its window is not rolling and has no `calendar`".to_owned());
    };
    let start = calendar.text_at(&["startTime"]).unwrap_or_default();
    let begins: DateTime = start
        .trim()
        .parse()
        .map_err(|_| format!("its calendar starts at {}, which is no date with a time", quoted(&start)))?;
    if !is_turn(unit, begins) {
        return Err(format!(
            "its calendar starts at {}, and here a {unit} begins when the calendar's does",
            quoted(&start)
        ));
    }
    let zone = calendar.text_at(&["timeZone"]);
    let remarks = match &zone {
        Some(_) => Vec::new(),
        None => vec!["Nothing said in which time zone its calendar is; this is UTC.".to_owned()],
    };
    let zone = zone.unwrap_or_else(|| "UTC".to_owned());
    let text = format!("{{ calendar: {unit}, timezone: {} }}", quoted(&zone));
    Ok(DraftPeriod { text, nominal: Duration::from_hours(24 * days), remarks })
}

/// Whether `unit` of the calendar begins at `at`.
fn is_turn(unit: &str, at: DateTime) -> bool {
    let midnight = at.time() == jiff::civil::Time::midnight();
    let day = match unit {
        "week" => at.date().weekday() == Weekday::Monday,
        "month" => at.day() == 1,
        "quarter" => at.day() == 1 && [1, 4, 7, 10].contains(&at.month()),
        _ => at.day() == 1 && at.month() == 1,
    };
    midnight && day
}

/// How time slices are counted.
pub(super) struct DraftBudgeting {
    /// As an SLO file has it.
    pub(super) text: String,
    pub(super) slice: Duration,
    /// What a reader should know.
    pub(super) remark: String,
}

/// The budgeting of an objective; `None` where each event counts.
///
/// # Errors
/// In words: an SLO file has none like it.
pub(super) fn budgeting(spec: &Foreign<'_>, one: &Foreign<'_>) -> Result<Option<DraftBudgeting>, String> {
    let method = spec.text_at(&["budgetingMethod"]).unwrap_or_default();
    if method == "Occurrences" {
        return Ok(None);
    }
    if !["Timeslices", "RatioTimeslices"].contains(&method.as_str()) {
        return Err(format!("its budgetingMethod is {}, which OpenSLO does not have", quoted(&method)));
    }
    let slice = one.text_at(&["timeSliceWindow"]).ok_or("its time slices have no `timeSliceWindow`")?;
    // A number alone is of minutes.
    let minutes = slice.parse::<u32>().ok().map(|minutes| Duration::from_mins(u64::from(minutes)));
    let span = minutes.or_else(|| duration(&slice)).filter(|span| !span.is_zero());
    let slice = span.ok_or_else(|| format!("its timeSliceWindow {} is no duration", quoted(&slice)))?;
    let span = duration_text(slice);
    let remark = "OpenSLO does not say what a slice without events is; `ignore` leaves it out.".to_owned();
    if method == "RatioTimeslices" {
        let text = format!("{{ ratio_timeslices: {{ slice: {span}, empty: ignore }} }}");
        return Ok(Some(DraftBudgeting { text, slice, remark }));
    }
    let target = one.text_at(&["timeSliceTarget"]).ok_or("its time slices have no `timeSliceTarget`")?;
    let target = percent_of_share(&target).ok_or_else(|| format!("its timeSliceTarget `{target}` is no decimal"))?;
    let text = format!("{{ timeslices: {{ target: {target}%, slice: {span}, empty: ignore }} }}");
    Ok(Some(DraftBudgeting { text, slice, remark }))
}

/// The longest slice that can be kept to count time slices of `slice` by: a part of a minute.
pub(super) fn kept(slice: Duration) -> Duration {
    let (mut most, mut rest) = (SLICE.as_millis(), slice.as_millis());
    while rest != 0 {
        (most, rest) = (rest, most % rest);
    }
    Duration::from_millis(u64::try_from(most).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_of_the_calendar_begins_at_its_midnight() {
        for (unit, at, expect) in [
            ("week", "2026-11-23 00:00:00", true),
            ("week", "2026-11-24 00:00:00", false),
            ("month", "2026-11-01 00:00:00", true),
            ("month", "2026-11-01 00:00:01", false),
            ("quarter", "2026-04-01 00:00:00", true),
            ("quarter", "2026-05-01 00:00:00", false),
            ("year", "2026-01-01 00:00:00", true),
            ("year", "2026-02-01 00:00:00", false),
        ] {
            assert_eq!(is_turn(unit, at.parse().expect("a date")), expect, "{unit} {at}");
        }
    }
}
