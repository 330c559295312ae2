//! Events by span of values, and nothing anywhere else.
//!
//! A native histogram names the buckets that hold an event and no others, so an
//! absent bucket is an empty one, and a bound is not a promise: what was one
//! bucket may be two in the next histogram, or in another cohort's. Two of them
//! are put together on the bounds that cut no bucket of either. Buckets that
//! overlap become one that covers both, which is exact, and where nothing
//! overlaps nothing is lost. Exponential buckets of two resolutions nest, so this
//! is the coarser one there, and only where it has events; a zero bucket that has
//! grown swallows what it now covers, and bounds that were chosen by hand come
//! out on those that are shared, as with classic histograms.

use crate::series::Buckets;

/// Bounds of what [`align`] gives out: client libraries keep to 160 buckets, a
/// bound is needed on either side of a gap, and all of it is stored with each interval.
pub const MAX_BOUNDS: usize = 320;

/// Events with a value in `(left, right]`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Span {
    /// Excluded lower end.
    pub left: f64,
    /// Included upper end.
    pub right: f64,
    /// How many.
    pub events: f64,
}

/// Events by span; none in between.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Spread {
    /// By increasing bounds, without overlap.
    spans: Vec<Span>,
    /// Spans of different bounds were put together.
    differ: bool,
}

impl Spread {
    /// Those of `spans`, in whatever order, that hold an event; `None` where one
    /// has no width, or two overlap.
    pub fn new(mut spans: Vec<Span>) -> Option<Self> {
        spans.sort_by(|a, b| a.left.total_cmp(&b.left));
        let wide = spans.iter().all(|span| span.left < span.right);
        let apart = spans.windows(2).all(|pair| pair[0].right <= pair[1].left);
        spans.retain(|span| span.events > 0.0);
        (wide && apart).then_some(Self { spans, differ: false })
    }

    /// By increasing bounds, without overlap.
    pub fn spans(&self) -> &[Span] {
        &self.spans
    }

    /// All events.
    pub fn total(&self) -> f64 {
        self.spans.iter().map(|span| span.events).sum()
    }

    /// Adds the events of `more`. In the order of labels and of time.
    pub fn add(&mut self, more: &Self) {
        let ranges = joined(&self.spans, &more.spans);
        let (mine, others) = (by_range(&self.spans, &ranges), by_range(&more.spans, &ranges));
        self.differ |= more.differ || is_cut(&self.spans, &ranges) || is_cut(&more.spans, &ranges);
        let sums = mine.into_iter().zip(others).map(|(mine, others)| mine + others);
        self.spans = spans(&ranges, sums);
    }

    /// What was counted since `earlier`; `None` where this is not a later state of
    /// it: a bucket fell, or was cut, which no counter does without a fresh start.
    pub(in crate::series) fn since(&self, earlier: &Self) -> Option<Self> {
        if self.spans.iter().any(|span| earlier.cuts(span.left) || earlier.cuts(span.right)) {
            return None;
        }
        let ranges = joined(&self.spans, &earlier.spans);
        let pairs = by_range(&self.spans, &ranges).into_iter().zip(by_range(&earlier.spans, &ranges));
        let grown: Option<Vec<f64>> = pairs.map(|(now, before)| (now >= before).then_some(now - before)).collect();
        let mut spans = spans(&ranges, grown?);
        spans.retain(|span| span.events > 0.0);
        Some(Self { spans, differ: false })
    }

    /// Whether `bound` lies inside a span.
    fn cuts(&self, bound: f64) -> bool {
        let next = self.spans.partition_point(|span| span.right <= bound);
        self.spans.get(next).is_some_and(|span| span.left < bound)
    }

    fn buckets(&self, layout: &Layout) -> Option<Buckets> {
        layout.buckets(&by_range(&self.spans, &layout.ranges))
    }
}

/// Both cohorts as events by bucket on the same bounds, and whether spans of
/// different bounds were put together for it. Where one is not known the other
/// stands on its own. Sums that overflow are not known.
pub fn align(canary: Option<&Spread>, baseline: Option<&Spread>) -> (Option<Buckets>, Option<Buckets>, bool) {
    let nothing = Spread::default();
    let (mine, others) = (canary.unwrap_or(&nothing), baseline.unwrap_or(&nothing));
    let layout = Layout::new(joined(&mine.spans, &others.spans));
    let cut = is_cut(&mine.spans, &layout.ranges) || is_cut(&others.spans, &layout.ranges);
    let buckets = |of: Option<&Spread>| of.and_then(|spread| spread.buckets(&layout));
    (buckets(canary), buckets(baseline), mine.differ || others.differ || cut)
}

/// The smallest ranges that cut no span of either; by increasing bounds.
fn joined(mine: &[Span], others: &[Span]) -> Vec<(f64, f64)> {
    let mut ranges: Vec<(f64, f64)> = mine.iter().chain(others).map(|span| (span.left, span.right)).collect();
    ranges.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut joined: Vec<(f64, f64)> = Vec::with_capacity(ranges.len());
    for (left, right) in ranges {
        match joined.last_mut() {
            Some((_, end)) if left < *end => *end = end.max(right),
            _ => joined.push((left, right)),
        }
    }
    joined
}

/// The events of `spans` in each of `ranges`, which cut none of them.
fn by_range(spans: &[Span], ranges: &[(f64, f64)]) -> Vec<f64> {
    let mut rest = spans.iter().peekable();
    let events = ranges.iter().map(|(_, end)| {
        let mut sum = 0.0;
        while let Some(span) = rest.next_if(|span| span.right <= *end) {
            sum += span.events;
        }
        sum
    });
    events.collect()
}

/// Whether some of `spans` lie in a range that is wider.
fn is_cut(spans: &[Span], ranges: &[(f64, f64)]) -> bool {
    let is_one = |span: &Span| {
        let found = ranges.binary_search_by(|(left, _)| left.total_cmp(&span.left));
        found.ok().and_then(|index| ranges.get(index)).is_some_and(|(_, end)| end.total_cmp(&span.right).is_eq())
    };
    !spans.iter().all(is_one)
}

fn spans(ranges: &[(f64, f64)], events: impl IntoIterator<Item = f64>) -> Vec<Span> {
    ranges.iter().zip(events).map(|(&(left, right), events)| Span { left, right, events }).collect()
}

/// Ranges as the upper bounds of buckets.
struct Layout {
    ranges: Vec<(f64, f64)>,
    /// Strictly increasing, the last `+Inf`.
    bounds: Vec<f64>,
    /// The bucket that each range is in.
    places: Vec<usize>,
}

impl Layout {
    fn new(ranges: Vec<(f64, f64)>) -> Self {
        let (mut bounds, mut places) = (Vec::new(), Vec::with_capacity(ranges.len()));
        for &(left, right) in &ranges {
            // Nothing is below minus infinity, and no bucket needed for it.
            if left > f64::NEG_INFINITY && bounds.last().is_none_or(|last| *last < left) {
                bounds.push(left);
            }
            places.push(bounds.len());
            bounds.push(right);
        }
        if ranges.is_empty() {
            // No event at or below zero and none above it: as known as any other count.
            bounds.push(0.0);
        }
        if bounds.last().is_none_or(|last| *last < f64::INFINITY) {
            bounds.push(f64::INFINITY);
        }
        let mut layout = Self { ranges, bounds, places };
        while layout.bounds.len() > MAX_BOUNDS {
            layout.halve();
        }
        layout
    }

    /// Takes two neighbours for one bucket, from the last one down.
    fn halve(&mut self) {
        let last = self.bounds.len().saturating_sub(1);
        let mut index = 0;
        self.bounds.retain(|_| {
            let is_kept = (last - index).is_multiple_of(2);
            index += 1;
            is_kept
        });
        for place in &mut self.places {
            *place = last / 2 - (last - *place) / 2;
        }
    }

    fn buckets(&self, events: &[f64]) -> Option<Buckets> {
        let mut counts = vec![0.0; self.bounds.len()];
        for (place, events) in self.places.iter().zip(events) {
            if let Some(count) = counts.get_mut(*place) {
                *count += events;
            }
        }
        Buckets::new(self.bounds.clone(), counts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INF: f64 = f64::INFINITY;

    fn spread(spans: &[(f64, f64, f64)]) -> Spread {
        Spread::new(spans.iter().map(|&(left, right, events)| Span { left, right, events }).collect()).unwrap()
    }

    fn triples(of: &Spread) -> Vec<(f64, f64, f64)> {
        of.spans().iter().map(|span| (span.left, span.right, span.events)).collect()
    }

    #[track_caller]
    fn check_sum(a: &[(f64, f64, f64)], b: &[(f64, f64, f64)], expect: &[(f64, f64, f64)], differ: bool) {
        for (mine, others) in [(a, b), (b, a)] {
            let mut sum = spread(mine);
            sum.add(&spread(others));
            assert_eq!((&triples(&sum)[..], sum.differ), (expect, differ));
        }
    }

    #[test]
    fn an_absent_bucket_is_an_empty_one() {
        check_sum(&[(1.0, 2.0, 3.0)], &[(4.0, 8.0, 5.0)], &[(1.0, 2.0, 3.0), (4.0, 8.0, 5.0)], false);
        check_sum(&[(1.0, 2.0, 3.0)], &[(1.0, 2.0, 5.0), (2.0, 4.0, 1.0)], &[(1.0, 2.0, 8.0), (2.0, 4.0, 1.0)], false);
        check_sum(&[], &[(1.0, 2.0, 3.0)], &[(1.0, 2.0, 3.0)], false);
    }

    #[test]
    fn finer_buckets_become_the_coarser_one_only_where_that_has_events() {
        let fine = [(0.5, 0.7, 1.0), (0.7, 1.0, 2.0), (1.0, 1.4, 4.0), (1.4, 2.0, 8.0)];
        check_sum(&fine, &[(1.0, 2.0, 16.0)], &[(0.5, 0.7, 1.0), (0.7, 1.0, 2.0), (1.0, 2.0, 28.0)], true);
    }

    #[test]
    fn a_zero_bucket_swallows_what_it_covers_and_what_it_cuts() {
        check_sum(&[(0.01, 0.02, 3.0)], &[(-0.05, 0.05, 2.0)], &[(-0.05, 0.05, 5.0)], true);
        check_sum(&[(0.04, 0.08, 3.0)], &[(-0.05, 0.05, 2.0)], &[(-0.05, 0.08, 5.0)], true);
        check_sum(&[(-0.08, -0.04, 3.0)], &[(-0.05, 0.05, 2.0)], &[(-0.08, 0.05, 5.0)], true);
    }

    #[test]
    fn the_order_of_a_sum_does_not_matter() {
        let parts = [
            spread(&[(1.0, 2.0, 1.0), (4.0, 8.0, 2.0)]),
            spread(&[(1.5, 2.0, 4.0), (2.0, 3.0, 8.0)]),
            spread(&[(2.5, 4.0, 16.0)]),
        ];
        let sums = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]].map(|order| {
            let mut sum = Spread::default();
            for index in order {
                sum.add(&parts[index]);
            }
            sum
        });
        assert_eq!(triples(&sums[0]), [(1.0, 2.0, 5.0), (2.0, 4.0, 24.0), (4.0, 8.0, 2.0)]);
        assert!(sums.iter().all(|sum| *sum == sums[0]));
    }

    #[test]
    fn buckets_that_overlap_or_have_no_width_are_no_spread() {
        let read = |spans: &[(f64, f64)]| {
            Spread::new(spans.iter().map(|&(left, right)| Span { left, right, events: 1.0 }).collect())
        };
        assert!(read(&[(2.0, 3.0), (1.0, 2.0)]).is_some(), "in any order");
        for wrong in
            [&[(1.0, 3.0), (2.0, 4.0)][..], &[(1.0, 1.0)], &[(2.0, 1.0)], &[(f64::NAN, 1.0)], &[(1.0, f64::NAN)]]
        {
            assert_eq!(read(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn what_was_counted_since_is_exact_where_buckets_grew_wider() {
        let later = spread(&[(1.0, 4.0, 20.0)]);
        let since = later.since(&spread(&[(1.0, 2.0, 5.0), (2.0, 4.0, 6.0)])).unwrap();
        assert_eq!(triples(&since), [(1.0, 4.0, 9.0)]);
        // No event in the wider bucket since: as if it were not there.
        let since = spread(&[(1.0, 4.0, 11.0), (8.0, 16.0, 1.0)]).since(&spread(&[(1.0, 2.0, 5.0), (2.0, 4.0, 6.0)]));
        assert_eq!(triples(&since.unwrap()), [(8.0, 16.0, 1.0)]);
    }

    #[test]
    fn what_fell_vanished_or_became_finer_is_no_later_state() {
        let earlier = spread(&[(1.0, 2.0, 5.0), (2.0, 4.0, 6.0)]);
        for later in [
            &[(1.0, 2.0, 4.0), (2.0, 4.0, 60.0)][..],
            &[(2.0, 4.0, 60.0)],
            &[(1.0, 1.5, 5.0), (1.5, 2.0, 5.0), (2.0, 4.0, 6.0)],
            &[(1.0, 3.0, 60.0)],
            &[],
        ] {
            assert_eq!(spread(later).since(&earlier), None, "{later:?}");
        }
        assert_eq!(earlier.since(&earlier), Some(Spread::default()));
    }

    #[track_caller]
    fn check_bounds(of: Option<&Buckets>, bounds: &[f64], counts: &[f64]) {
        let buckets = of.unwrap();
        assert_eq!((buckets.bounds(), buckets.counts()), (bounds, counts));
    }

    #[test]
    fn both_cohorts_end_on_identical_bounds() {
        let (canary, baseline, differ) =
            align(Some(&spread(&[(1.0, 2.0, 3.0), (4.0, 8.0, 1.0)])), Some(&spread(&[(2.0, 4.0, 7.0)])));
        check_bounds(canary.as_ref(), &[1.0, 2.0, 4.0, 8.0, INF], &[0.0, 3.0, 0.0, 1.0, 0.0]);
        check_bounds(baseline.as_ref(), &[1.0, 2.0, 4.0, 8.0, INF], &[0.0, 0.0, 7.0, 0.0, 0.0]);
        assert!(!differ);
        let (canary, baseline, differ) =
            align(Some(&spread(&[(1.0, 2.0, 3.0), (2.0, 4.0, 1.0)])), Some(&spread(&[(1.0, 4.0, 7.0)])));
        check_bounds(canary.as_ref(), &[1.0, 4.0, INF], &[0.0, 4.0, 0.0]);
        check_bounds(baseline.as_ref(), &[1.0, 4.0, INF], &[0.0, 7.0, 0.0]);
        assert!(differ);
    }

    #[test]
    fn infinite_bounds_are_no_bounds_twice() {
        let (canary, baseline, _) = align(Some(&spread(&[(f64::NEG_INFINITY, -1.0, 2.0), (9.0, INF, 3.0)])), None);
        check_bounds(canary.as_ref(), &[-1.0, 9.0, INF], &[2.0, 0.0, 3.0]);
        assert_eq!(baseline, None);
    }

    #[test]
    fn no_event_is_a_count_of_zero_and_the_unknown_is_none() {
        let (canary, baseline, differ) = align(Some(&Spread::default()), Some(&Spread::default()));
        check_bounds(canary.as_ref(), &[0.0, INF], &[0.0, 0.0]);
        assert_eq!((baseline, differ), (canary, false));
        assert_eq!(align(None, None), (None, None, false));
        assert_eq!(align(Some(&spread(&[(0.0, 1.0, f64::INFINITY)])), None).0, None);
    }

    #[test]
    fn too_many_bounds_are_halved_and_no_event_is_lost() {
        for count in [319_u32, 320, 321, 322, 1000, 5000] {
            let span = |k: u32, events| Span { left: f64::from(k), right: f64::from(k + 1), events };
            let canary = Spread::new((0..count).map(|k| span(k, 1.0)).collect()).unwrap();
            let baseline = Spread::new((0..count).map(|k| span(k, 2.0)).collect()).unwrap();
            let (canary, baseline, differ) = align(Some(&canary), Some(&baseline));
            let (canary, baseline) = (canary.unwrap(), baseline.unwrap());
            assert!(canary.bounds().len() <= MAX_BOUNDS && canary.bounds() == baseline.bounds() && !differ);
            assert_eq!((canary.total(), baseline.total()), (f64::from(count), 2.0 * f64::from(count)));
            // Events of a bucket lie within its bounds still.
            let mut below = 0.0;
            for (bound, events) in canary.bounds().iter().zip(canary.counts()) {
                below += events;
                assert!(below.total_cmp(&bound.min(f64::from(count))).is_eq(), "{below} at {bound}");
            }
        }
    }
}
