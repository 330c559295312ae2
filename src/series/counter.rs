//! What a counter counted in one window.
//!
//! Everything here is a function of one window and of the samples at most
//! [`STALENESS`] before it, so the same samples give the same tally however many
//! windows were asked for at once. Resets are taken out of each series before
//! any sum over series: a sum of counters falls whenever one instance restarts.

use crate::series::Sample;
use crate::series::Series;
use crate::series::Timestamp;
use crate::series::Window;
use std::ops::Range;
use std::time::Duration;

/// Two samples further apart than this are not compared: Prometheus itself
/// forgets a series after five minutes, and what happened meanwhile is not known.
pub const STALENESS: Duration = Duration::from_mins(5);

/// What is known of a counter before the first sample it has in a window, where
/// the [`STALENESS`] before shows none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Past {
    /// It was not there for the hour before, and somebody looked: it counts from zero.
    Absent,
    /// It was there within the hour before: this is a gap.
    Present,
    /// Nobody can say: its first sample is where it starts.
    Unknown,
}

/// One counter in one window.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Tally {
    /// Finite samples in the window.
    pub samples: u32,
    /// Samples in the window that were NaN.
    pub nan: u32,
    /// Samples in the window that were infinite.
    pub infinite: u32,
    /// Some of what it counted was lost in a gap.
    pub gap: bool,
    /// What it had counted before its first sample is not known.
    pub start: bool,
    /// Increments between samples, and over how long.
    bridged: Option<(f64, Duration)>,
    /// What a counter that was born in the window had at its first sample.
    from_zero: Option<f64>,
}

impl Tally {
    /// Events counted; `None` where nothing could be compared. Not negative; it
    /// may overflow to infinity.
    pub fn increase(&self) -> Option<f64> {
        match (self.bridged, self.from_zero) {
            (None, None) => None,
            (bridged, from_zero) => Some(bridged.map_or(0.0, |(sum, _)| sum) + from_zero.unwrap_or(0.0)),
        }
    }

    /// Events a second between the first and the last sample that were compared.
    /// What a new counter had at its first sample is not in it: over how long
    /// that came about is not known.
    pub fn rate(&self) -> Option<f64> {
        self.bridged.map(|(sum, span)| sum / span.as_secs_f64())
    }
}

/// What `series` counted in `window` of a wave that began at `began`.
///
/// An increment belongs to the window of its later sample. `past` is asked for
/// where [`needs_past`] says so, and else has no influence. A series that was
/// there when the wave began starts at its first sample, and nobody is told.
pub fn tally(series: &Series, window: Window, began: Timestamp, past: Past) -> Tally {
    let value = |index: usize| series.samples().get(index).map_or(0.0, |sample| sample.value);
    tally_by(series, window, began, past, |earlier, later| match earlier.map(value) {
        // A counter that fell began anew, and has counted its whole value since.
        Some(before) if value(later) >= before => value(later) - before,
        Some(_) | None => value(later).max(0.0),
    })
}

/// As [`tally`], where `grown` tells what was counted up to the later of two
/// samples, given by their places in `series`: since the earlier one, or from zero.
pub(in crate::series) fn tally_by(
    series: &Series,
    window: Window,
    began: Timestamp,
    past: Past,
    mut grown: impl FnMut(Option<usize>, usize) -> f64,
) -> Tally {
    let mut tally =
        Tally { nan: within(series.nan(), window), infinite: within(series.infinite(), window), ..Tally::default() };
    let unseen = needs_past(series, window, began);
    let (first_in_reach, inside) = reach(series.samples(), window);
    for index in inside {
        tally.samples = tally.samples.saturating_add(1);
        let Some(sample) = series.samples().get(index) else { break };
        let previous = index.checked_sub(1).filter(|before| *before >= first_in_reach);
        match previous.and_then(|before| Some((before, series.samples().get(before)?))) {
            Some((before, earlier)) if sample.at.since(earlier.at) <= STALENESS => {
                let (sum, span) = tally.bridged.unwrap_or_default();
                tally.bridged = Some((sum + grown(Some(before), index), span + sample.at.since(earlier.at)));
            }
            // Only the first sample in reach is without an earlier one.
            None if unseen && past == Past::Absent => tally.from_zero = Some(grown(None, index)),
            None if unseen && past == Past::Unknown => tally.start = true,
            None if sample.at <= began => {}
            Some(_) | None => tally.gap = true,
        }
    }
    tally
}

/// Whether `series` has a first sample in `window` of which only the hour before
/// can say where it comes from: after the wave began, and none of any kind,
/// NaN or infinite, in the [`STALENESS`] before the window or since.
pub fn needs_past(series: &Series, window: Window, began: Timestamp) -> bool {
    let (first_in_reach, inside) = reach(series.samples(), window);
    let Some(first) = series.samples().get(inside.start).filter(|_| !inside.is_empty()) else { return false };
    let span = Window { from: window.from - STALENESS, to: first.at };
    first.at > began
        && first_in_reach == inside.start
        && within(series.nan(), span) == 0
        && within(series.infinite(), span) == 0
}

/// Whether `series` has a sample of any kind in `window`.
pub fn is_seen(series: &Series, window: Window) -> bool {
    let (_, inside) = reach(series.samples(), window);
    !inside.is_empty() || within(series.nan(), window) > 0 || within(series.infinite(), window) > 0
}

/// The samples that `series` has in `window`, whatever they count.
pub(in crate::series) fn present(series: &Series, window: Window) -> Tally {
    let samples = u32::try_from(inside(series, window).len()).unwrap_or(u32::MAX);
    let (nan, infinite) = (within(series.nan(), window), within(series.infinite(), window));
    Tally { samples, nan, infinite, ..Tally::default() }
}

/// The finite samples of `series` in `window`.
pub(in crate::series) fn inside(series: &Series, window: Window) -> &[Sample] {
    let (_, inside) = reach(series.samples(), window);
    series.samples().get(inside).unwrap_or_default()
}

/// Finite samples of `series` that the tally of `window` may depend on.
pub fn samples_within_reach(series: &Series, window: Window) -> usize {
    within_reach(series, window).len()
}

/// The places in `series` of the finite samples that the tally of `window` may depend on.
pub(in crate::series) fn within_reach(series: &Series, window: Window) -> Range<usize> {
    let (first, inside) = reach(series.samples(), window);
    first..inside.end
}

/// `window` with the [`STALENESS`] before it: what its evidence can depend on.
pub fn padded(window: Window) -> Window {
    Window { from: window.from - STALENESS, to: window.to }
}

/// Many counters in one window.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Total {
    /// The sum of what they counted; `None` where none could be compared.
    pub increase: Option<f64>,
    /// Finite samples of the counter that has most.
    pub seen: u32,
    /// Samples that were NaN.
    pub nan: u32,
    /// Samples that were infinite.
    pub infinite: u32,
}

impl Total {
    /// This and one more counter. Sums of floats depend on their order: add in
    /// the order of labels.
    pub fn add(&mut self, tally: &Tally) {
        if let Some(increase) = tally.increase() {
            self.increase = Some(self.increase.unwrap_or(0.0) + increase);
        }
        self.look(tally);
    }

    /// As [`Total::add`], without what was counted.
    pub fn look(&mut self, tally: &Tally) {
        self.seen = self.seen.max(tally.samples);
        self.nan = self.nan.saturating_add(tally.nan);
        self.infinite = self.infinite.saturating_add(tally.infinite);
    }
}

/// The place of the first of the samples within [`STALENESS`] before `window`, and
/// the places of those in it.
fn reach(samples: &[Sample], window: Window) -> (usize, Range<usize>) {
    let pad = samples.partition_point(|sample| sample.at <= window.from - STALENESS);
    let from = samples.partition_point(|sample| sample.at <= window.from);
    let to = samples.partition_point(|sample| sample.at <= window.to).max(from);
    (pad.min(from), from..to)
}

/// How many of the ordered `stamps` lie in `window`.
fn within(stamps: &[Timestamp], window: Window) -> u32 {
    let from = stamps.partition_point(|at| *at <= window.from);
    let to = stamps.partition_point(|at| *at <= window.to);
    u32::try_from(to.saturating_sub(from)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::series::Labels;

    const BEGAN: Timestamp = Timestamp::from_millis(0);

    /// Seconds and values; the wave began at second 0.
    fn series(samples: &[(i64, f64)]) -> Series {
        let sample = |&(second, value): &(i64, f64)| Sample { at: Timestamp::from_millis(second * 1000), value };
        Series::new(Labels::default(), samples.iter().map(sample).collect())
    }

    fn window(from: i64, to: i64) -> Window {
        Window { from: Timestamp::from_millis(from * 1000), to: Timestamp::from_millis(to * 1000) }
    }

    #[track_caller]
    fn check(samples: &[(i64, f64)], span: (i64, i64), past: Past, increase: Option<f64>) -> Tally {
        let tally = tally(&series(samples), window(span.0, span.1), BEGAN, past);
        assert_eq!(tally.increase(), increase);
        tally
    }

    #[test]
    fn an_increment_belongs_to_the_window_of_its_later_sample() {
        let samples = [(55, 100.0), (65, 107.0), (75, 110.0)];
        check(&samples, (30, 60), Past::Present, None);
        check(&samples, (60, 75), Past::Present, Some(10.0));
        check(&samples, (60, 70), Past::Present, Some(7.0));
        check(&samples, (75, 90), Past::Present, None);
    }

    #[test]
    fn the_start_of_a_window_is_outside_and_its_end_inside() {
        let samples = [(45, 1.0), (60, 2.0), (75, 4.0)];
        check(&samples, (45, 60), Past::Present, Some(1.0));
        check(&samples, (60, 75), Past::Present, Some(2.0));
    }

    #[test]
    fn a_counter_that_falls_has_counted_its_new_value() {
        check(&[(55, 100.0), (65, 7.0), (75, 9.0)], (60, 80), Past::Present, Some(9.0));
        check(&[(55, 100.0), (65, 0.0)], (60, 80), Past::Present, Some(0.0));
    }

    #[test]
    fn a_reset_is_taken_out_before_the_sum_over_series() {
        let restarted = series(&[(55, 1000.0), (65, 5.0)]);
        let steady = series(&[(55, 1000.0), (65, 1010.0)]);
        let mut total = Total::default();
        for one in [&restarted, &steady] {
            total.add(&tally(one, window(60, 75), BEGAN, Past::Present));
        }
        assert_eq!(total.increase, Some(15.0));
    }

    #[test]
    fn negative_values_never_count() {
        check(&[(55, 3.0), (65, -7.0), (75, -9.0)], (60, 80), Past::Present, Some(0.0));
        check(&[(65, -7.0)], (60, 80), Past::Absent, Some(0.0));
    }

    #[test]
    fn five_minutes_are_bridged_and_more_are_not() {
        assert!(!check(&[(10, 1.0), (310, 5.0)], (300, 315), Past::Present, Some(4.0)).gap);
        assert!(check(&[(9, 1.0), (310, 5.0)], (300, 315), Past::Present, None).gap);
    }

    #[test]
    fn a_gap_inside_a_wide_window_is_not_bridged() {
        let tally = check(&[(610, 1.0), (620, 3.0), (1000, 50.0), (1010, 51.0)], (600, 1200), Past::Absent, Some(4.0));
        assert!(tally.gap);
        assert_eq!(tally.rate(), Some(3.0 / 20.0));
    }

    #[test]
    fn a_new_counter_counts_from_zero_only_where_it_was_absent_and_somebody_looked() {
        let born = [(610, 7.0), (620, 9.0)];
        let absent = check(&born, (600, 630), Past::Absent, Some(9.0));
        let present = check(&born, (600, 630), Past::Present, Some(2.0));
        let unknown = check(&born, (600, 630), Past::Unknown, Some(2.0));
        assert_eq!((absent.gap, absent.start), (false, false));
        assert_eq!((present.gap, present.start), (true, false));
        assert_eq!((unknown.gap, unknown.start), (false, true));
    }

    #[test]
    fn a_first_sample_alone_is_seen_and_unknown_not_zero() {
        let tally = check(&[(610, 7.0)], (600, 630), Past::Unknown, None);
        assert_eq!(tally.samples, 1);
    }

    #[test]
    fn a_series_that_was_there_when_the_wave_began_starts_at_its_first_sample_silently() {
        let tally = tally(&series(&[(-5, 7.0), (0, 9.0), (10, 10.0)]), window(-15, 0), BEGAN, Past::Unknown);
        assert_eq!((tally.increase(), tally.gap, tally.start), (Some(2.0), false, false));
    }

    #[test]
    fn a_window_without_a_sample_is_unknown_even_between_two() {
        let tally = check(&[(55, 1.0), (95, 9.0)], (60, 75), Past::Present, None);
        assert_eq!(tally.samples, 0);
    }

    #[test]
    fn nan_and_infinite_are_dropped_and_counted() {
        let samples = [(55, 1.0), (61, f64::NAN), (65, f64::INFINITY), (70, f64::NEG_INFINITY), (75, 4.0)];
        let tally = check(&samples, (60, 80), Past::Present, Some(3.0));
        assert_eq!((tally.samples, tally.nan, tally.infinite), (1, 1, 2));
    }

    #[test]
    fn only_a_first_sample_after_the_start_asks_for_the_past() {
        let asks = |samples: &[(i64, f64)]| needs_past(&series(samples), window(600, 630), BEGAN);
        assert!(asks(&[(610, 1.0)]));
        assert!(asks(&[(250, 1.0), (610, 1.0)]), "a sample before the pad says nothing");
        assert!(!asks(&[(400, 1.0), (610, 1.0)]));
        assert!(!asks(&[(400, f64::NAN), (610, 1.0)]));
        assert!(!asks(&[(605, f64::INFINITY), (610, 1.0)]));
        assert!(!asks(&[(700, 1.0)]));
        assert!(!needs_past(&series(&[(-5, 1.0)]), window(-15, 0), BEGAN));
    }

    #[test]
    fn a_rate_divides_by_the_time_between_its_samples() {
        let tally = check(&[(58, 100.0), (73, 130.0)], (60, 75), Past::Present, Some(30.0));
        assert_eq!(tally.rate(), Some(2.0));
        assert_eq!(check(&[(73, 130.0)], (60, 75), Past::Absent, Some(130.0)).rate(), None);
    }

    #[test]
    fn seen_is_that_of_the_fullest_series() {
        let mut total = Total::default();
        for samples in [&[(61, 1.0)][..], &[(61, 1.0), (76, 1.0), (91, f64::NAN)][..]] {
            total.add(&tally(&series(samples), window(60, 120), BEGAN, Past::Unknown));
        }
        assert_eq!((total.seen, total.nan), (2, 1));
    }
}
