//! When looks happen, and whether they can.

use crate::rules::OnDeadline;
use crate::rules::Schedule;
use crate::rules::diagnostic::Spot;
use crate::rules::keys::file::SCHEDULE;
use crate::rules::reader::Entry;
use crate::rules::reader::Reader;
use crate::rules::units::duration_text;
use std::time::Duration;

/// Shortest interval: finer than anybody scrapes, and a look costs queries.
const MIN_INTERVAL: Duration = Duration::from_secs(1);

/// Longest deadline: raw samples are rarely kept longer.
const MAX_DEADLINE: Duration = Duration::from_hours(30 * 24);

/// Longest settle: a look that runs later helps nobody.
const MAX_SETTLE: Duration = Duration::from_hours(1);

/// Fewest intervals up to the deadline: under four there is no sequence to judge.
pub(super) const MIN_INTERVALS: u32 = 4;

/// Most intervals up to the deadline: an open gate keeps their evidence in memory.
const MAX_INTERVALS: u32 = 20_000;

/// The schedule of a file.
pub(super) fn schedule(reader: &mut Reader<'_>, entry: Option<Entry<'_>>) -> Schedule {
    let table = entry.and_then(|entry| reader.table(entry.node, "`schedule`", SCHEDULE));
    let get = |key: &str| table.as_ref().and_then(|table| table.get(key));
    let mut span = |key: &str, default: Duration| get(key).and_then(|e| reader.duration(e)).unwrap_or(default);
    let interval = span("interval", Duration::from_secs(15));
    let schedule = Schedule {
        interval,
        warmup: span("warmup", Duration::from_mins(2)),
        min_duration: span("min_duration", Duration::from_mins(10)),
        deadline: span("deadline", Duration::from_hours(1)),
        settle: span("settle", interval.saturating_mul(2).min(MAX_SETTLE)),
        on_deadline: OnDeadline::Pause,
    };
    let words = [("pause", OnDeadline::Pause), ("fail", OnDeadline::Fail)];
    let on_deadline = get("on_deadline").and_then(|entry| reader.word(entry, &words)).unwrap_or(OnDeadline::Pause);
    if let Some(entry) = entry {
        let at = |keys: &[&str]| keys.iter().find_map(|key| get(key)).unwrap_or(entry).node.spot;
        possible(reader, &schedule, at);
    }
    Schedule { on_deadline, ..schedule }
}

/// Whether the times of `schedule` can be kept; `at` finds where one of some keys stands.
fn possible(reader: &mut Reader<'_>, schedule: &Schedule, at: impl Fn(&[&str]) -> Spot) {
    let Schedule { interval, warmup, min_duration, deadline, settle, .. } = *schedule;
    let mut fault = |keys: &[&str], message: String, help: &str| {
        reader.error(at(keys), "impossible_schedule", message, help);
    };
    let text = duration_text;
    if interval < MIN_INTERVAL {
        fault(
            &["interval"],
            format!("the interval of {} is under 1s", text(interval)),
            "as often as you scrape: `15s`",
        );
    }
    if deadline > MAX_DEADLINE {
        fault(&["deadline"], format!("the deadline of {} is over 30d", text(deadline)), "a wave is judged in hours");
    } else if interval.saturating_mul(MIN_INTERVALS) > deadline {
        let message = format!("the interval of {} leaves under 4 looks by {}", text(interval), text(deadline));
        fault(&["interval", "deadline"], message, "make the interval shorter or the deadline later");
    }
    if interval.saturating_mul(MAX_INTERVALS) < deadline {
        let message = format!("over {MAX_INTERVALS} intervals of {} until {}", text(interval), text(deadline));
        fault(&["interval", "deadline"], message, "make the interval longer or the deadline earlier");
    }
    if warmup >= min_duration {
        let message = format!("the warm-up of {} leaves nothing of {} to judge", text(warmup), text(min_duration));
        fault(
            &["warmup", "min_duration"],
            message,
            "`warmup` and `min_duration` both count from the start of the wave",
        );
    }
    if min_duration > deadline {
        let message = format!("no PASS before {}, and no look after {}", text(min_duration), text(deadline));
        fault(&["min_duration", "deadline"], message, "make `deadline` later than `min_duration`");
    }
    if settle > MAX_SETTLE {
        fault(
            &["settle"],
            format!("a look would run {} late", text(settle)),
            "as long as samples need to arrive: `30s`",
        );
    }
}

/// The planned downtime, which must leave something of the time before a PASS.
pub(super) fn downtime(reader: &mut Reader<'_>, entry: Option<Entry<'_>>, schedule: &Schedule) -> Duration {
    let Some(entry) = entry else { return Duration::ZERO };
    let Some(downtime) = reader.duration(entry) else { return Duration::ZERO };
    if downtime >= schedule.min_duration {
        let (down, first) = (duration_text(downtime), duration_text(schedule.min_duration));
        let message = format!("a downtime of {down} leaves nothing to judge before the first PASS at {first}");
        let help = "both count from the start of the wave: make `min_duration` of `schedule` longer";
        reader.error(entry.node.spot, "impossible_downtime", message, help);
    }
    downtime
}
