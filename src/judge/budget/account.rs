//! From slices to what is known of a service at one moment.
//!
//! Where events are counted a reading is a few sums of [`Slices`], however long the period
//! is: about a microsecond. Where slices are counted (slo.md §1.2) each one of the period
//! is looked at once, from the last to the first, and the windows are taken on the way: less
//! than 0.5 ms for 30 days of minutes and 6 ms for a year of them (`benches/budget.rs`), which
//! one look a minute can pay.

use crate::rules::Budgeting;
use crate::rules::CalendarUnit;
use crate::rules::EmptySlice;
use crate::rules::Period;
use crate::rules::Slo;
use crate::series::Counts;
use crate::series::Fraction;
use crate::series::ServiceReading;
use crate::series::Slices;
use crate::series::SpanCounts;
use crate::series::SpanReading;
use crate::series::Timestamp;
use crate::series::Window;
use jiff::ToSpan;
use jiff::civil::Date;
use jiff::civil::Weekday;
use jiff::tz::TimeZone;
use std::cmp::Ordering;
use std::time::Duration;

/// What `slices` say of the service at `at`: those are used that end by `at` less the
/// SLO's settling time, on the grid of slices, so that it does not depend on when it is
/// asked. What other waves spent, who pages and what was before are left empty.
///
/// The grid is that of the slices that are counted: where the SLO counts slices of five
/// minutes, one that is not over counts nowhere. A slice that nobody saw is never counted,
/// whatever a slice without events is.
pub fn account(slo: &Slo, slices: &Slices, at: Timestamp) -> ServiceReading {
    let through = (at - slo.settle).floored(slo.budgeting.counted(slo.slice));
    let (period_from, period_to) = period(&slo.period, through);
    let lengths = windows(slo);
    let spans: Vec<Window> = lengths.iter().map(|length| Window { from: through - *length, to: through }).collect();
    let so_far = Window { from: period_from, to: through };

    let events = reading(so_far, slices.sum(so_far), None);
    let count = |window: Window| reading(window, slices.sum(window), None);
    let (windows, period) = match Method::of(slo, slices.step()) {
        None => (spans.into_iter().map(count).collect(), events),
        Some(method) => {
            let all: Vec<Window> = spans.into_iter().chain([so_far]).collect();
            let mut read = method.readings(slices, &all);
            let period = read.pop().unwrap_or(events);
            (read, period)
        }
    };
    ServiceReading {
        through,
        windows,
        period,
        events,
        period_from,
        period_to,
        seen_from: slices.first_seen(so_far).map(|first| first + slices.step()),
        spent_by_others: 0.0,
        paging: Vec::new(),
        before: None,
    }
}

/// Every length of window that is looked at, the shortest first.
fn windows(slo: &Slo) -> Vec<Duration> {
    let tiers = slo.tiers.iter().flat_map(|tier| [tier.long, tier.short]);
    let mut lengths: Vec<Duration> = tiers.chain(slo.absolute.map(|rule| rule.within)).collect();
    lengths.sort_unstable();
    lengths.dedup();
    lengths
}

fn reading(window: Window, sum: SpanCounts, counts: Option<Counts>) -> SpanReading {
    SpanReading {
        length: window.length(),
        counts: counts.or(sum.counts),
        seen: sum.seen,
        slices: sum.slices,
        bad_events: sum.counts.map_or(0.0, |counts| counts.bad),
    }
}

/// How slices become a share of the error budget.
struct Method {
    /// Slices of memory that one of those counted has.
    many: u32,
    /// A slice that has more bad events is bad. `None` where their mean is taken.
    allowed: Option<Share>,
    empty: EmptySlice,
}

impl Method {
    /// `None` where events are counted.
    fn of(slo: &Slo, step: Duration) -> Option<Self> {
        let (allowed, slice, empty) = match slo.budgeting {
            Budgeting::Occurrences => return None,
            Budgeting::Timeslices { target, slice, empty } => {
                (Some(Share::of(target.complement().unwrap_or(Fraction::ZERO))), slice, empty)
            }
            Budgeting::RatioTimeslices { slice, empty } => (None, slice, empty),
        };
        let many = u32::try_from(slice.as_millis() / step.as_millis().max(1)).unwrap_or(u32::MAX).max(1);
        Some(Self { many, allowed, empty })
    }

    /// What was counted in `windows`, which all end where the first does.
    fn readings(&self, slices: &Slices, windows: &[Window]) -> Vec<SpanReading> {
        let through = windows.first().map_or(slices.through(), |window| window.to);
        let length = slices.step() * self.many;
        let groups =
            |window: &Window| u32::try_from(window.length().as_millis() / length.as_millis()).unwrap_or(u32::MAX);
        let mut borders: Vec<(u32, usize)> = windows.iter().map(groups).zip(0..).collect();
        borders.sort_unstable();

        let mut read: Vec<SpanReading> =
            windows.iter().map(|window| reading(*window, slices.sum(*window), None)).collect();
        let mut back = slices.groups_back(self.many, through);
        let (mut sum, mut done) = (Tally::default(), 0);
        for (groups, window) in borders {
            back.by_ref().take(as_index(groups - done)).for_each(|group| sum.add(group, self));
            done = groups;
            if let Some(one) = read.get_mut(window) {
                *one = SpanReading { counts: sum.counts(), seen: sum.seen, slices: groups, ..*one };
            }
        }
        read
    }

    /// How much of a slice of these events is bad, in [0, 1]; `None` where it is not there.
    fn badness(&self, counts: Counts) -> Option<f64> {
        match &self.allowed {
            _ if counts.total <= 0.0 => match self.empty {
                EmptySlice::Good => Some(0.0),
                EmptySlice::Bad => Some(1.0),
                EmptySlice::Ignore => None,
            },
            // No bad event is within every target: most slices of most services.
            _ if counts.bad <= 0.0 => Some(0.0),
            Some(allowed) => Some(if allowed.is_below(counts) { 1.0 } else { 0.0 }),
            None => Some(counts.bad / counts.total),
        }
    }
}

/// A share of bad events that is compared with many slices.
struct Share {
    exact: Fraction,
    nearest: f64,
}

impl Share {
    fn of(exact: Fraction) -> Self {
        Self { exact, nearest: exact.as_f64() }
    }

    /// Whether more of `counts` is bad, without rounding. Most slices are so far from the
    /// share that floats decide, which are a million times nearer than this asks for.
    fn is_below(&self, counts: Counts) -> bool {
        const FAR: f64 = 1e-9;
        let edge = self.nearest * counts.total;
        if (counts.bad - edge).abs() > FAR * edge {
            return counts.bad > edge;
        }
        self.exact.compare(counts.bad, counts.total) == Some(Ordering::Greater)
    }
}

/// Slices that were counted so far.
#[derive(Default)]
struct Tally {
    bad: f64,
    counted: u32,
    seen: u32,
}

impl Tally {
    fn add(&mut self, group: SpanCounts, method: &Method) {
        let Some(counts) = group.counts else { return };
        self.seen += 1;
        if let Some(bad) = method.badness(counts) {
            self.bad += bad;
            self.counted += 1;
        }
    }

    fn counts(&self) -> Option<Counts> {
        let total = f64::from(self.counted);
        // A mean of ratios is summed with rounding, and may not be above 1 for it.
        (self.seen > 0).then_some(Counts { bad: self.bad.min(total), total })
    }
}

/// From when to when the period is that the slice lies in which ends at `through`: at the
/// turn of a calendar the old one, until there is a slice of the new one.
fn period(period: &Period, through: Timestamp) -> (Timestamp, Timestamp) {
    match period {
        Period::Rolling(length) => (through - *length, through),
        // Only an instant that no calendar has is without a turn.
        Period::Calendar { unit, zone } => turns(*unit, zone, through).unwrap_or((through, through)),
    }
}

/// The turns of the calendar before and after the instant before `through`.
fn turns(unit: CalendarUnit, zone: &TimeZone, through: Timestamp) -> Option<(Timestamp, Timestamp)> {
    let instant = jiff::Timestamp::from_millisecond(through.as_millis().checked_sub(1)?).ok()?;
    let day = instant.to_zoned(zone.clone()).date();
    let quarter = |month: i8| (month - 1) / 3 * 3 + 1;
    let (first, length) = match unit {
        CalendarUnit::Week => {
            let since_monday = i64::from(day.weekday().since(Weekday::Monday));
            (day.checked_sub(since_monday.days()).ok()?, 7.days())
        }
        CalendarUnit::Month => (day.first_of_month(), 1.month()),
        CalendarUnit::Quarter => (Date::new(day.year(), quarter(day.month()), 1).ok()?, 3.months()),
        CalendarUnit::Year => (day.first_of_year(), 1.year()),
    };
    // A day begins at midnight, or with its first instant where a clock jumps over that.
    let begin = |day: Date| {
        let zoned = day.to_zoned(zone.clone()).ok()?.start_of_day().ok()?;
        Some(Timestamp::from_millis(zoned.timestamp().as_millisecond()))
    };
    Some((begin(first)?, begin(first.checked_add(length).ok()?)?))
}

fn as_index(groups: u32) -> usize {
    usize::try_from(groups).unwrap_or(usize::MAX)
}
