//! One span of time: whether a moment lies in it, and when that may change.

use croner::Cron;
use jiff::Timestamp;
use jiff::ToSpan as _;
use jiff::Zoned;
use jiff::civil::Date;
use jiff::civil::DateTime;
use jiff::civil::Time;
use jiff::civil::Weekday;
use jiff::tz::TimeZone;
use std::time::Duration;

/// Minutes of a day.
const DAY: u32 = 24 * 60;

/// A span of time.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Span {
    /// Hours of some weekdays.
    Weekly {
        /// From Monday on.
        days: [bool; 7],
        /// In minutes from midnight, below a day.
        from: u32,
        /// In minutes from midnight, up to a day; not above `from` where it lies on the next day.
        to: u32,
    },
    /// From one moment until before another.
    Between(Timestamp, Timestamp),
    /// A while from each time of a pattern.
    Cron(Box<Cron>, Duration),
}

impl Span {
    /// Whether `now` lies in it.
    pub(super) fn contains(&self, now: &Zoned) -> bool {
        match self {
            Self::Weekly { days, from, to } => {
                let minute = u32::try_from(now.hour()).unwrap_or(0) * 60 + u32::try_from(now.minute()).unwrap_or(0);
                let weekday = usize::try_from(now.weekday().to_monday_zero_offset()).unwrap_or(0);
                let (today, yesterday) = (days[weekday % 7], days[(weekday + 6) % 7]);
                if from < to {
                    today && (*from..*to).contains(&minute)
                } else {
                    today && minute >= *from || yesterday && minute < *to
                }
            }
            Self::Between(from, to) => (*from..*to).contains(&now.timestamp()),
            Self::Cron(pattern, lasts) => end_of_run(pattern, *lasts, now).is_some_and(|end| now.timestamp() < end),
        }
    }

    /// A moment after `now`, up to which nothing changes; `None` where nothing ever does.
    pub(super) fn next_change(&self, now: &Zoned) -> Option<Timestamp> {
        let after = |moment: &Timestamp| *moment > now.timestamp();
        match self {
            Self::Weekly { days, from, to } => weekly_changes(*days, *from, *to, now).filter(after).min(),
            Self::Between(from, to) => [*from, *to].into_iter().find(after),
            Self::Cron(pattern, lasts) => {
                let begins = pattern.find_next_occurrence(&on_a_second(now)?, false).ok();
                let begins = begins.map(|begins| begins.timestamp());
                [end_of_run(pattern, *lasts, now), begins].into_iter().flatten().filter(after).min()
            }
        }
    }
}

/// When what began last ends.
fn end_of_run(pattern: &Cron, lasts: Duration, now: &Zoned) -> Option<Timestamp> {
    let begun = pattern.find_previous_occurrence(&on_a_second(now)?, true).ok()?;
    begun.timestamp().checked_add(lasts).ok()
}

/// Patterns know no parts of a second.
fn on_a_second(now: &Zoned) -> Option<Zoned> {
    now.with().subsec_nanosecond(0).build().ok()
}

/// Moments around `now` at which the clock comes to an end of the hours, and the next
/// at which the clock is changed, which can skip one.
fn weekly_changes(days: [bool; 7], from: u32, to: u32, now: &Zoned) -> impl Iterator<Item = Timestamp> {
    let zone = now.time_zone().clone();
    let changed = zone.following(now.timestamp()).next().map(|change| change.timestamp());
    let last = if from < to { to } else { to + DAY };
    // A week and a day ahead there is an end of each; one of yesterday may be to come.
    let dates = (-1..=8).filter_map({
        let today = now.date();
        move |ahead: i64| today.checked_add(ahead.days()).ok()
    });
    let dates =
        dates.filter(move |date| days[usize::try_from(date.weekday().to_monday_zero_offset()).unwrap_or(0) % 7]);
    let ends = dates.flat_map(move |date| [from, last].map(|minute| moment_of(date, minute)));
    ends.flatten().flat_map(move |shown| both(&zone, shown)).flatten().chain(changed)
}

/// `minute` minutes from the midnight of `date`, on the clock.
fn moment_of(date: Date, minute: u32) -> Option<DateTime> {
    let date = date.checked_add(i64::from(minute / DAY).days()).ok()?;
    let (hour, minute) = (minute % DAY / 60, minute % 60);
    let time = Time::new(i8::try_from(hour).ok()?, i8::try_from(minute).ok()?, 0, 0).ok()?;
    Some(date.to_datetime(time))
}

/// The moments at which a clock that is put back shows `shown`: one twice in the year.
fn both(zone: &TimeZone, shown: DateTime) -> [Option<Timestamp>; 2] {
    let ends = [zone.to_ambiguous_timestamp(shown).earlier(), zone.to_ambiguous_timestamp(shown).later()];
    ends.map(Result::ok)
}

/// The days from `first` to `last`, over the end of the week where that is before.
pub(super) fn days(first: Weekday, last: Weekday) -> [bool; 7] {
    let mut days = [false; 7];
    let at = |day: Weekday| usize::try_from(day.to_monday_zero_offset()).unwrap_or(0) % 7;
    let mut day = at(first);
    days[day] = true;
    while day != at(last) {
        day = (day + 1) % 7;
        days[day] = true;
    }
    days
}
