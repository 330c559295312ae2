//! Classic histograms: bucket counters of many series become events by bucket.
//!
//! Bounds are numbers, not text: `le="1"` and `le="1.0"` are one bucket (newer
//! servers rewrite the label, also in the middle of a wave). Where histograms
//! have different bounds they are merged on those that all of them have: counts
//! are cumulative, so dropping a bound is exact and inventing one is not. A
//! histogram without a `+Inf` bucket hides the slowest events, which are those
//! that matter, so its cohort is unknown rather than guessed from the rest.

use crate::series::Buckets;
use crate::series::Labels;
use crate::series::Sample;
use crate::series::Series;
use std::collections::BTreeMap;

/// Bounds of one histogram: client libraries ship a dozen, and a thousand is a
/// mistake in a label.
pub const MAX_BOUNDS: usize = 1000;

/// The label that holds a bucket's upper bound.
const BOUND: &str = "le";

/// One classic histogram: the counters of its buckets.
#[derive(Clone, Debug, PartialEq)]
pub struct Histogram {
    /// Its labels, without `le`.
    pub labels: Labels,
    /// Upper bound and counter, by increasing bound.
    pub buckets: Vec<(f64, Series)>,
}

impl Histogram {
    /// The counters of its buckets.
    pub fn series(&self) -> impl Iterator<Item = &Series> {
        self.buckets.iter().map(|(_, series)| series)
    }
}

/// Sorts bucket counters into histograms, ordered by labels. Series whose `le`
/// is not a bound are left out. Two spellings of one bound are one counter, so
/// that a change of spelling is not a birth.
pub fn assemble(series: impl IntoIterator<Item = Series>) -> Vec<Histogram> {
    let mut histograms: BTreeMap<Labels, Vec<(f64, Series)>> = BTreeMap::new();
    for one in series {
        let Some(bound) = one.labels().get(BOUND).and_then(parse_bound) else { continue };
        histograms.entry(one.labels().without(BOUND)).or_default().push((bound, one));
    }
    let ordered = |(labels, mut buckets): (Labels, Vec<(f64, Series)>)| {
        buckets.sort_by(|(a, left), (b, right)| a.total_cmp(b).then_with(|| left.labels().cmp(right.labels())));
        Histogram { labels, buckets: join_spellings(buckets) }
    };
    histograms.into_iter().map(ordered).collect()
}

/// `le` as a number: any spelling of a float, or `None` for NaN, `-Inf` and text.
pub fn parse_bound(le: &str) -> Option<f64> {
    let bound: f64 = le.parse().ok()?;
    // Adding zero makes -0 and 0 one bound.
    (!bound.is_nan() && bound > f64::NEG_INFINITY).then_some(bound + 0.0)
}

/// Labels that are the same for every spelling of a bound, and for a function's
/// result, which has no metric name.
pub fn spelled_once(labels: &Labels) -> Labels {
    let Some(bound) = labels.get(BOUND).and_then(parse_bound) else { return labels.without("__name__") };
    let rest = labels.iter().filter(|(name, _)| !matches!(*name, BOUND | "__name__"));
    let owned = rest.map(|(name, value)| (name.to_owned(), value.to_owned()));
    owned.chain([(BOUND.to_owned(), bound.to_string())]).collect()
}

fn join_spellings(buckets: Vec<(f64, Series)>) -> Vec<(f64, Series)> {
    let mut joined: Vec<(f64, Series)> = Vec::with_capacity(buckets.len());
    for (bound, series) in buckets {
        match joined.last_mut() {
            Some((last, before)) if last.total_cmp(&bound).is_eq() => *before = join(before, &series),
            _ => joined.push((bound, series)),
        }
    }
    joined
}

/// Both series as one, under the labels of the first, whose samples win a tie.
fn join(first: &Series, second: &Series) -> Series {
    let dropped = |series: &Series| {
        let nan = series.nan().iter().map(|&at| Sample { at, value: f64::NAN });
        let infinite = series.infinite().iter().map(|&at| Sample { at, value: f64::INFINITY });
        nan.chain(infinite).collect::<Vec<_>>()
    };
    let samples = [first.samples(), &dropped(first), second.samples(), &dropped(second)].concat();
    Series::new(first.labels().clone(), samples)
}

/// What the histograms of one cohort counted in one window.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cumulative {
    /// For each bound that all had, the events at or below it; by increasing bound.
    counts: Option<Vec<(f64, f64)>>,
    differ: bool,
    is_open: bool,
}

impl Cumulative {
    /// Adds one histogram: for each bound the increment of its counter, by
    /// increasing bound. Nothing is added where there is none. In the order of labels.
    pub fn add(&mut self, histogram: Vec<(f64, f64)>) {
        let Some((last, _)) = histogram.last() else { return };
        self.is_open |= *last < f64::INFINITY;
        self.counts = Some(match self.counts.take() {
            None => histogram,
            Some(counts) => {
                let common = shared(&counts, &histogram);
                self.differ |= common.len() < counts.len() || common.len() < histogram.len();
                common.into_iter().map(|(bound, mine, other)| (bound, mine + other)).collect()
            }
        });
    }

    /// Events by bucket, or `None` where nothing was counted, a histogram had no
    /// `+Inf` bucket, or a sum overflows. Bounds that a cumulative count falls at
    /// (a scrape that raced with an event) take the count of the bound before.
    pub fn buckets(&self) -> Option<Buckets> {
        let counts = self.known()?;
        let mut below = 0.0_f64;
        let differences = counts.iter().map(|(_, count)| {
            let rise = (count - below).max(0.0);
            below = below.max(*count);
            rise
        });
        let differences: Vec<f64> = differences.collect();
        Buckets::new(counts.iter().map(|(bound, _)| *bound).collect(), differences)
    }

    fn known(&self) -> Option<&Vec<(f64, f64)>> {
        self.counts.as_ref().filter(|_| !self.is_open)
    }
}

/// Both cohorts on the bounds that both have, and whether any histogram among
/// them had others. A cohort whose counts are not known leaves the other as it is.
pub fn align(canary: Cumulative, baseline: Cumulative) -> (Cumulative, Cumulative, bool) {
    let differ = canary.differ || baseline.differ;
    let (Some(mine), Some(others)) = (canary.known(), baseline.known()) else { return (canary, baseline, differ) };
    let common = shared(mine, others);
    let cut = common.len() < mine.len() || common.len() < others.len();
    let kept = |of: &Cumulative, counts: Vec<(f64, f64)>| Cumulative { counts: Some(counts), ..of.clone() };
    (
        kept(&canary, common.iter().map(|&(bound, count, _)| (bound, count)).collect()),
        kept(&baseline, common.iter().map(|&(bound, _, count)| (bound, count)).collect()),
        differ || cut,
    )
}

/// The bounds that both ordered lists have, with the count of each.
fn shared(left: &[(f64, f64)], right: &[(f64, f64)]) -> Vec<(f64, f64, f64)> {
    let find = |bound: f64| right.binary_search_by(|(other, _)| other.total_cmp(&bound)).ok();
    let pair = |&(bound, mine): &(f64, f64)| {
        let (_, other) = right.get(find(bound)?)?;
        Some((bound, mine, *other))
    };
    left.iter().filter_map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::series::Timestamp;

    const INF: f64 = f64::INFINITY;

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn series(pod: &str, le: &str, samples: &[(i64, f64)]) -> Series {
        let sample = |&(millis, value): &(i64, f64)| Sample { at: Timestamp::from_millis(millis), value };
        Series::new(labels(&[("pod", pod), ("le", le)]), samples.iter().map(sample).collect())
    }

    fn cumulative(histograms: &[&[(f64, f64)]]) -> Cumulative {
        let mut cohort = Cumulative::default();
        for histogram in histograms {
            cohort.add(histogram.to_vec());
        }
        cohort
    }

    #[track_caller]
    fn check_buckets(cohort: &Cumulative, expect: Option<(&[f64], &[f64])>) {
        let buckets = cohort.buckets();
        assert_eq!(buckets.as_ref().map(|buckets| (buckets.bounds(), buckets.counts())), expect);
    }

    #[test]
    fn bounds_are_numbers_in_any_spelling() {
        for (le, bound) in [("1", 1.0), ("1.0", 1.0), ("0.10", 0.1), ("1e-3", 0.001), ("+Inf", INF), ("Inf", INF)] {
            assert_eq!(parse_bound(le), Some(bound), "{le}");
        }
        assert_eq!(parse_bound("-0").map(f64::to_bits), Some(0));
        for le in ["", "NaN", "-Inf", "fast", "1s", "1,0"] {
            assert_eq!(parse_bound(le), None, "{le}");
        }
    }

    #[test]
    fn buckets_are_ordered_by_number_and_histograms_by_labels() {
        let scattered = [("b", "+Inf"), ("a", "10"), ("a", "+Inf"), ("a", "9"), ("a", "fast"), ("b", "0.5")];
        let histograms = assemble(scattered.map(|(pod, le)| series(pod, le, &[(0, 1.0)])));
        let bounds = |of: &Histogram| of.buckets.iter().map(|(bound, _)| *bound).collect::<Vec<_>>();
        let found: Vec<_> = histograms.iter().map(|one| (one.labels.get("pod"), bounds(one))).collect();
        assert_eq!(found, [(Some("a"), vec![9.0, 10.0, INF]), (Some("b"), vec![0.5, INF])]);
        assert_eq!(histograms[0].labels, labels(&[("pod", "a")]));
    }

    #[test]
    fn a_new_spelling_of_a_bound_goes_on_where_the_old_one_stopped() {
        let old = series("a", "1", &[(0, 1.0), (15, 2.0), (30, f64::NAN)]);
        let new = series("a", "1.0", &[(30, 3.0), (45, 4.0), (60, INF)]);
        let [histogram] = &assemble([new, old])[..] else { panic!("one histogram") };
        let [(bound, joined)] = &histogram.buckets[..] else { panic!("one bucket") };
        let values: Vec<f64> = joined.samples().iter().map(|sample| sample.value).collect();
        assert_eq!((*bound, values), (1.0, vec![1.0, 2.0, 4.0]));
        assert_eq!((joined.nan().len(), joined.infinite().len()), (1, 1));
    }

    #[test]
    fn labels_are_one_for_every_spelling_and_for_a_function() {
        let named = labels(&[("__name__", "x_bucket"), ("pod", "a"), ("le", "1.0")]);
        assert_eq!(spelled_once(&named), spelled_once(&labels(&[("pod", "a"), ("le", "1")])));
        assert_eq!(spelled_once(&labels(&[("__name__", "x")])), labels(&[]));
    }

    #[test]
    fn cumulative_counts_become_counts_by_bucket() {
        let cohort = cumulative(&[&[(0.1, 5.0), (1.0, 8.0), (INF, 9.0)], &[(0.1, 1.0), (1.0, 1.0), (INF, 2.0)]]);
        check_buckets(&cohort, Some((&[0.1, 1.0, INF], &[6.0, 3.0, 2.0])));
    }

    #[test]
    fn different_bounds_are_merged_on_those_that_all_share() {
        let cohort =
            cumulative(&[&[(0.1, 5.0), (0.5, 6.0), (1.0, 8.0), (INF, 9.0)], &[(0.2, 1.0), (1.0, 3.0), (INF, 3.0)]]);
        check_buckets(&cohort, Some((&[1.0, INF], &[11.0, 1.0])));
        assert!(cohort.differ);
    }

    #[test]
    fn both_cohorts_end_on_identical_bounds() {
        let canary = cumulative(&[&[(0.1, 5.0), (1.0, 8.0), (INF, 9.0)]]);
        let baseline = cumulative(&[&[(0.1, 50.0), (0.5, 70.0), (INF, 90.0)]]);
        let (canary, baseline, differ) = align(canary, baseline);
        check_buckets(&canary, Some((&[0.1, INF], &[5.0, 4.0])));
        check_buckets(&baseline, Some((&[0.1, INF], &[50.0, 40.0])));
        assert!(differ);
    }

    #[test]
    fn the_same_bounds_are_not_called_different() {
        let same = || cumulative(&[&[(0.1, 5.0), (INF, 9.0)], &[(0.1, 1.0), (INF, 1.0)]]);
        let (canary, baseline, differ) = align(same(), same());
        assert_eq!((canary, baseline, differ), (same(), same(), false));
    }

    #[test]
    fn an_unknown_cohort_leaves_the_other_as_it_is() {
        for unknown in [Cumulative::default(), cumulative(&[&[(0.2, 5.0), (1.0, 8.0)]])] {
            let (canary, baseline, differ) = align(cumulative(&[&[(0.1, 5.0), (INF, 9.0)]]), unknown);
            check_buckets(&canary, Some((&[0.1, INF], &[5.0, 4.0])));
            check_buckets(&baseline, None);
            assert!(!differ);
        }
    }

    #[test]
    fn a_count_that_falls_from_bound_to_bound_is_clipped() {
        let cohort = cumulative(&[&[(0.1, 5.0), (0.5, 4.0), (1.0, 7.0), (INF, 6.0)]]);
        check_buckets(&cohort, Some((&[0.1, 0.5, 1.0, INF], &[5.0, 0.0, 2.0, 0.0])));
    }

    #[test]
    fn a_histogram_without_an_infinite_bucket_is_unknown() {
        check_buckets(&cumulative(&[&[(0.1, 5.0), (1.0, 8.0)]]), None);
        check_buckets(&cumulative(&[&[(0.1, 5.0), (INF, 8.0)], &[(0.1, 5.0)]]), None);
    }

    #[test]
    fn an_overflow_is_unknown() {
        check_buckets(&cumulative(&[&[(INF, f64::MAX)], &[(INF, f64::MAX)]]), None);
    }
}
