//! Native histograms: one series holds whole histograms, with as many buckets as
//! its events need.
//!
//! Windows, gaps, births and resets are those of a counter ([`counter`]), with
//! the count of all events for its value: a histogram is compared with the one
//! before it, whole. It began anew where its count or any bucket fell, or where a
//! bucket was cut, since resolution is only ever given up while counting goes on
//! (Prometheus, `FloatHistogram.DetectReset`).

use crate::series::Labels;
use crate::series::Sample as Count;
use crate::series::Series;
use crate::series::Timestamp;
use crate::series::Window;
use crate::series::counter;
use crate::series::counter::Past;
use crate::series::counter::Tally;
use crate::series::spread::Span;
use crate::series::spread::Spread;
use std::time::Duration;

/// Counts of a histogram of floats are sums, rounded.
const ROUNDING: f64 = 1e-6;
/// Events beyond the buckets that are one. Not a share of the count: it would pass
/// such a share in time, the other way, and what vanishes is taken for a fresh start.
const ONE: f64 = 0.5;

/// One bucket as a source writes it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bucket {
    /// The lower bound.
    pub left: f64,
    /// The upper bound.
    pub right: f64,
    /// Both bounds belong to it: the zero bucket, which may have no width.
    pub is_closed: bool,
    /// The events in it.
    pub events: f64,
}

/// What is wrong with a histogram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// A bucket whose bounds are not two numbers, the lower one first.
    Bounds,
    /// One value in two buckets.
    Overlap,
    /// Events in buckets that its count does not know of.
    MoreThanCount,
}

/// One histogram: counts since its target began.
#[derive(Clone, Debug, PartialEq)]
pub struct Histogram {
    count: f64,
    spread: Spread,
}

impl Histogram {
    /// The histogram of `count` events in all, in `buckets`; those that hold none
    /// may be left out. Which of its bounds belongs to a bucket is all the same but
    /// for one without width. Events beyond the buckets, as those that are not a
    /// number, are counted as the largest: a classic histogram has them in `+Inf`.
    ///
    /// # Errors
    /// The first [`Flaw`].
    pub fn new(count: f64, buckets: &[Bucket]) -> Result<Self, Flaw> {
        let mut spans = buckets.iter().map(span).collect::<Option<Vec<Span>>>().ok_or(Flaw::Bounds)?;
        let numbers = || spans.iter().map(|span| span.events).chain([count]);
        let not_finite = numbers().find(|number| number.is_nan()).or_else(|| numbers().find(|n| n.is_infinite()));
        if let Some(count) = not_finite {
            return Ok(Self { count, spread: Spread::default() });
        }
        let (count, counted) = (count.max(0.0), spans.iter().map(|span| span.events.max(0.0)).sum::<f64>());
        if counted > count * (1.0 + ROUNDING) {
            return Err(Flaw::MoreThanCount);
        }
        if count - counted > ONE {
            largest(&mut spans).events += count - counted;
        }
        let spread = Spread::new(spans).ok_or(Flaw::Overlap)?;
        Ok(Self { count, spread })
    }
}

fn span(bucket: &Bucket) -> Option<Span> {
    // Adding zero makes -0 and 0 one bound.
    let Bucket { left, right, is_closed, events } = *bucket;
    let (left, right) = (left + 0.0, right + 0.0);
    let left = if is_closed && left.total_cmp(&right).is_eq() { left.next_down() } else { left };
    (left < right).then_some(Span { left, right, events })
}

/// The bucket of values that no other is large enough for.
fn largest(spans: &mut Vec<Span>) -> &mut Span {
    let above = |span: &Span| span.right == f64::INFINITY;
    let index = spans.iter().position(above).unwrap_or_else(|| {
        spans.push(Span { left: f64::MAX, right: f64::INFINITY, events: 0.0 });
        spans.len() - 1
    });
    &mut spans[index]
}

/// A histogram at one instant.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// When it was scraped.
    pub at: Timestamp,
    /// What was seen.
    pub histogram: Histogram,
}

/// The native histograms of one series in strictly increasing time.
#[derive(Clone, Debug, PartialEq)]
pub struct Histograms {
    counts: Series,
    /// One for each sample of `counts`.
    spreads: Vec<Spread>,
}

impl Histograms {
    /// As [`Series::new`], which keeps the same samples.
    pub fn new(labels: Labels, mut samples: Vec<Sample>) -> Self {
        samples.sort_by_key(|sample| sample.at);
        samples.dedup_by_key(|sample| sample.at);
        let counts = samples.iter().map(|sample| Count { at: sample.at, value: sample.histogram.count }).collect();
        let finite = samples.into_iter().filter(|sample| sample.histogram.count.is_finite());
        let spreads = finite.map(|sample| sample.histogram.spread).collect();
        Self { counts: Series::new(labels, counts), spreads }
    }

    /// As [`Series::later`].
    #[must_use]
    pub fn later(self, by: Duration) -> Self {
        Self { counts: self.counts.later(by), ..self }
    }

    /// The count of all events, as a series of its own. A histogram with a count
    /// that is not finite is among its samples that are not.
    pub fn counts(&self) -> &Series {
        &self.counts
    }

    /// Every sample, those that are not finite among them; as [`Histograms::new`] takes them.
    pub fn samples(&self) -> Vec<Sample> {
        let finite = self.counts.samples().iter().zip(&self.spreads);
        let finite = finite.map(|(count, spread)| (count.at, Histogram { count: count.value, spread: spread.clone() }));
        let odd = |stamps: &[Timestamp], count: f64| -> Vec<(Timestamp, Histogram)> {
            stamps.iter().map(|at| (*at, Histogram { count, spread: Spread::default() })).collect()
        };
        let odd = [odd(self.counts.nan(), f64::NAN), odd(self.counts.infinite(), f64::INFINITY)].concat();
        finite.chain(odd).map(|(at, histogram)| Sample { at, histogram }).collect()
    }

    /// Where the events were, for each sample of [`Histograms::counts`].
    pub fn spreads(&self) -> &[Spread] {
        &self.spreads
    }

    /// Samples and buckets that the tally of `window` may depend on.
    pub fn numbers_within_reach(&self, window: Window) -> usize {
        let reach = self.spreads.get(counter::within_reach(&self.counts, window)).unwrap_or_default();
        reach.iter().map(|spread| 1 + spread.spans().len()).sum()
    }

    /// What was counted in `window` of a wave that began at `began`, as of a
    /// counter ([`counter::tally`]), and where; `None` where nothing could be compared.
    pub fn tally(&self, window: Window, began: Timestamp, past: Past) -> (Tally, Option<Spread>) {
        let mut all = Spread::default();
        let tally = counter::tally_by(&self.counts, window, began, past, |earlier, later| {
            let grown = self.grown(earlier, later);
            all.add(&grown);
            grown.total()
        });
        (tally, tally.increase().map(|_| all))
    }

    fn grown(&self, earlier: Option<usize>, later: usize) -> Spread {
        let count = |index: usize| self.counts.samples().get(index).map(|sample| sample.value);
        let Some(now) = self.spreads.get(later) else { return Spread::default() };
        let before = earlier.filter(|before| count(*before) <= count(later));
        let since = before.and_then(|before| now.since(self.spreads.get(before)?));
        since.unwrap_or_else(|| now.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::series::counter::STALENESS;

    const BEGAN: Timestamp = Timestamp::from_millis(0);

    /// Count, then `(left, right, events)`.
    fn histogram(count: f64, buckets: &[(f64, f64, f64)]) -> Result<Histogram, Flaw> {
        let bucket = |&(left, right, events): &(f64, f64, f64)| {
            let is_closed = (left + 0.0).total_cmp(&(right + 0.0)).is_eq();
            Bucket { left, right, is_closed, events }
        };
        Histogram::new(count, &buckets.iter().map(bucket).collect::<Vec<_>>())
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_millis(second * 1000)
    }

    fn window(from: i64, to: i64) -> Window {
        Window { from: at(from), to: at(to) }
    }

    /// Left, right, events.
    type Buckets<'a> = &'a [(f64, f64, f64)];

    /// Second and buckets; the count is their sum.
    fn histograms(samples: &[(i64, Buckets<'_>)]) -> Histograms {
        let sample = |&(second, buckets): &(i64, Buckets<'_>)| Sample {
            at: at(second),
            histogram: histogram(buckets.iter().map(|bucket| bucket.2).sum(), buckets).unwrap(),
        };
        Histograms::new(Labels::default(), samples.iter().map(sample).collect())
    }

    fn triples(of: &Spread) -> Vec<(f64, f64, f64)> {
        of.spans().iter().map(|span| (span.left, span.right, span.events)).collect()
    }

    type Grown<'a> = Option<Buckets<'a>>;

    #[track_caller]
    fn check(samples: &[(i64, Buckets<'_>)], span: (i64, i64), past: Past, expect: Grown<'_>) -> Tally {
        let (tally, grown) = histograms(samples).tally(window(span.0, span.1), BEGAN, past);
        assert_eq!(grown.as_ref().map(triples).as_deref(), expect);
        assert_eq!(tally.increase(), expect.map(|spans| spans.iter().map(|span| span.2).sum()));
        tally
    }

    const FEW: &[(f64, f64, f64)] = &[(1.0, 2.0, 5.0), (2.0, 4.0, 1.0)];
    const MORE: &[(f64, f64, f64)] = &[(1.0, 2.0, 8.0), (2.0, 4.0, 1.0), (8.0, 16.0, 2.0)];
    const MOST: &[(f64, f64, f64)] = &[(1.0, 2.0, 8.0), (2.0, 4.0, 7.0), (8.0, 16.0, 2.0)];

    #[test]
    fn an_increment_belongs_to_the_window_of_its_later_sample() {
        let samples = [(55, FEW), (65, MORE), (75, MOST)];
        check(&samples, (30, 60), Past::Present, None);
        check(&samples, (60, 70), Past::Present, Some(&[(1.0, 2.0, 3.0), (8.0, 16.0, 2.0)]));
        check(&samples, (70, 80), Past::Present, Some(&[(2.0, 4.0, 6.0)]));
        check(&samples, (60, 75), Past::Present, Some(&[(1.0, 2.0, 3.0), (2.0, 4.0, 6.0), (8.0, 16.0, 2.0)]));
    }

    #[test]
    fn no_new_event_is_known_to_be_none() {
        check(&[(55, FEW), (65, FEW)], (60, 70), Past::Present, Some(&[]));
    }

    #[test]
    fn a_histogram_that_falls_in_count_or_in_a_bucket_has_counted_all_it_holds() {
        check(&[(55, MORE), (65, FEW)], (60, 70), Past::Present, Some(FEW));
        // More events than before, and fewer of the fast ones.
        let slow: &[(f64, f64, f64)] = &[(1.0, 2.0, 4.0), (8.0, 16.0, 50.0)];
        check(&[(55, FEW), (65, slow)], (60, 70), Past::Present, Some(slow));
    }

    #[test]
    fn buckets_that_grow_wider_go_on_counting_and_finer_ones_began_anew() {
        let fine: &[(f64, f64, f64)] = &[(1.0, 1.5, 2.0), (1.5, 2.0, 3.0), (2.0, 3.0, 1.0)];
        let wide: &[(f64, f64, f64)] = &[(1.0, 2.0, 9.0), (2.0, 4.0, 1.0)];
        check(&[(55, fine), (65, wide)], (60, 70), Past::Present, Some(&[(1.0, 2.0, 4.0)]));
        let (_, grown) = histograms(&[(55, wide), (65, fine)]).tally(window(60, 70), BEGAN, Past::Present);
        assert_eq!(grown.map(|grown| triples(&grown)).as_deref(), Some(fine));
    }

    #[test]
    fn a_zero_bucket_may_grow_and_values_may_be_negative() {
        let narrow: &[(f64, f64, f64)] = &[(-4.0, -2.0, 3.0), (-0.25, 0.25, 1.0), (0.25, 0.5, 2.0), (1.0, 2.0, 1.0)];
        let wide: &[(f64, f64, f64)] = &[(-4.0, -2.0, 5.0), (-0.5, 0.5, 7.0), (1.0, 2.0, 1.0)];
        check(&[(55, narrow), (65, wide)], (60, 70), Past::Present, Some(&[(-4.0, -2.0, 2.0), (-0.5, 0.5, 4.0)]));
        check(&[(55, wide), (65, narrow)], (60, 70), Past::Present, Some(narrow));
    }

    #[test]
    fn five_minutes_are_bridged_and_more_are_not() {
        let grown: Grown<'_> = Some(&[(1.0, 2.0, 3.0), (8.0, 16.0, 2.0)]);
        let five = i64::try_from(STALENESS.as_secs()).unwrap();
        assert!(!check(&[(10, FEW), (10 + five, MORE)], (300, 315), Past::Present, grown).gap);
        assert!(check(&[(9, FEW), (10 + five, MORE)], (300, 315), Past::Present, None).gap);
    }

    #[test]
    fn a_new_histogram_counts_from_zero_only_where_it_was_absent_and_somebody_looked() {
        let born = [(610, FEW), (620, MORE)];
        let since: Grown<'_> = Some(&[(1.0, 2.0, 3.0), (8.0, 16.0, 2.0)]);
        let absent = check(&born, (600, 630), Past::Absent, Some(MORE));
        let present = check(&born, (600, 630), Past::Present, since);
        let unknown = check(&born, (600, 630), Past::Unknown, since);
        assert_eq!((absent.gap, absent.start), (false, false));
        assert_eq!((present.gap, present.start), (true, false));
        assert_eq!((unknown.gap, unknown.start), (false, true));
    }

    #[test]
    fn counts_that_are_not_finite_are_dropped_and_counted() {
        let wrong = |count: f64, events: f64| histogram(count, &[(1.0, 2.0, events)]).unwrap();
        let good = |buckets| histograms(&[(0, buckets)]);
        assert_eq!(good(FEW).counts().samples().len(), 1);
        let sample = |second, histogram| Sample { at: at(second), histogram };
        let few = || histogram(6.0, FEW).unwrap();
        let series = Histograms::new(
            Labels::default(),
            vec![
                sample(75, histogram(11.0, MORE).unwrap()),
                sample(70, wrong(f64::INFINITY, f64::NAN)),
                sample(65, wrong(1.0, f64::INFINITY)),
                sample(55, few()),
                sample(55, wrong(f64::NAN, 1.0)),
            ],
        );
        let (tally, grown) = series.tally(window(60, 80), BEGAN, Past::Present);
        assert_eq!((tally.samples, tally.nan, tally.infinite), (1, 1, 1));
        assert_eq!(grown.map(|grown| grown.total()), Some(5.0));
    }

    #[test]
    fn events_outside_of_every_bucket_are_the_largest() {
        let outside = |histogram: Histogram| triples(&histogram.spread);
        assert_eq!(
            outside(histogram(9.0, &[(1.0, 2.0, 5.0)]).unwrap()),
            [(1.0, 2.0, 5.0), (f64::MAX, f64::INFINITY, 4.0)]
        );
        assert_eq!(outside(histogram(9.0, &[(1.0, f64::INFINITY, 5.0)]).unwrap()), [(1.0, f64::INFINITY, 9.0)]);
        assert_eq!(outside(histogram(0.3, &[(1.0, 2.0, 0.1), (2.0, 4.0, 0.2)]).unwrap()).len(), 2, "rounded");
    }

    #[test]
    fn negative_events_never_count() {
        assert!(triples(&histogram(-5.0, &[(1.0, 2.0, -5.0)]).unwrap().spread).is_empty());
    }

    #[test]
    fn a_bucket_without_width_is_that_of_zero() {
        let zero = histogram(2.0, &[(-0.0, 0.0, 2.0)]).unwrap();
        assert_eq!(triples(&zero.spread), [(0.0_f64.next_down(), 0.0, 2.0)]);
    }

    #[test]
    fn what_is_no_histogram_is_told_why() {
        assert_eq!(histogram(1.0, &[(2.0, 1.0, 1.0)]), Err(Flaw::Bounds));
        assert_eq!(histogram(1.0, &[(f64::NAN, 1.0, 1.0)]), Err(Flaw::Bounds));
        assert_eq!(histogram(2.0, &[(1.0, 3.0, 1.0), (2.0, 4.0, 1.0)]), Err(Flaw::Overlap));
        assert_eq!(histogram(1.0, &[(1.0, 2.0, 1.1)]), Err(Flaw::MoreThanCount));
    }
}
