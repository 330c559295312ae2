//! The tail of a histogram (T-1): what share of the events lies above a value, and by how
//! much that share grows when everything takes longer.
//!
//! Only the bounds of the buckets are known, so that `ln S` is taken for a straight line in
//! `ln x` between them: a power law from bound to bound, as tails of latencies are. A share
//! is never below half an event, or an empty tail would be infinitely certain.

/// The least and the largest ratio that a tail is asked about: less cannot be told from
/// chance, and more needs no exact figure.
const RATIO_LEAST: f64 = 1.05;
const RATIO_MOST: f64 = 5.0;
/// The least number of events above any value.
const LEAST_EVENTS: f64 = 0.5;
/// The width of the first bucket where no other one shows a width.
const LONE_WIDTH: f64 = 2.0;
/// What rounding may put a bound below a value that it was meant to reach.
const ROUNDING: f64 = 1e-9;

/// The share of events above a value, from the events of each bucket.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Survival<'a> {
    /// Positive and finite, ascending.
    bounds: &'a [f64],
    /// Events of the bucket below each of `bounds`.
    counts: &'a [f64],
    /// Events below the first bucket: those of bounds that have no logarithm.
    below: f64,
    total: f64,
}

/// What "slower by a tolerance" means for the share of events above a bound.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TailRatio {
    /// The share above the bound were everything slower by the tolerance, over the share
    /// above it now; from 1.05 to 5.
    pub ratio: f64,
    /// The tolerance that `ratio` stands for: the one asked for unless the ratio had to be
    /// held; infinite where no slowing reaches the ratio, because nearly all events lie above.
    pub tolerance: f64,
}

impl<'a> Survival<'a> {
    /// From the upper `bounds` of buckets, ascending and ending in `+Inf`, and the `counts`
    /// of events in each (not cumulative).
    ///
    /// `None` where the slices do not fit, no bound is positive and finite, a count is
    /// negative or not finite, or there is no event. Time `O(buckets)`, no allocation.
    pub fn new(bounds: &'a [f64], counts: &'a [f64]) -> Option<Self> {
        let (last, finite) = bounds.split_last()?;
        let ascending = bounds.windows(2).all(|pair| pair[0] < pair[1]);
        let countable = counts.iter().all(|count| count.is_finite() && *count >= 0.0);
        let total: f64 = counts.iter().sum();
        let first = finite.iter().position(|bound| *bound > 0.0)?;
        let fits = bounds.len() == counts.len() && *last >= f64::INFINITY && ascending;
        if !(fits && countable && total > 0.0 && total.is_finite()) {
            return None;
        }
        let below = counts[..first].iter().sum();
        Some(Self { bounds: &finite[first..], counts: &counts[first..finite.len()], below, total })
    }

    /// The share of events above `x`: 1 below the first bucket, that of the last bound above
    /// it. Where the first bucket begins is not known; it is taken for as wide as the second
    /// one, as a ratio of bounds.
    pub fn share_above(&self, x: f64) -> f64 {
        let corners = self.corners().zip(self.corners().skip(1));
        let mut share = self.corners().next().map_or(1.0, |(_, share)| share);
        for ((low, at_low), (high, at_high)) in corners {
            if x <= low || x.is_nan() {
                return share;
            }
            share = at_high;
            if x < high {
                let part = (x / low).ln() / (high / low).ln();
                return at_low * (at_high / at_low).powf(part);
            }
        }
        share
    }

    /// The value that the share `1 − q` of the events exceeds; held to the buckets that have
    /// two bounds, as Prometheus does.
    pub fn quantile(&self, q: f64) -> f64 {
        self.value_above(1.0 - q).unwrap_or_else(|| self.edge())
    }

    /// The bound nearest to `x`, by ratio.
    pub fn nearest_bound(&self, x: f64) -> f64 {
        let distance = |bound: f64| (bound / x).ln().abs();
        let nearest = self.bounds.iter().copied().min_by(|a, b| distance(*a).total_cmp(&distance(*b)));
        nearest.unwrap_or(f64::NAN)
    }

    /// The smallest bound that is at least `x`, but for rounding; `None` above the last one.
    pub fn bound_from(&self, x: f64) -> Option<f64> {
        self.bounds.iter().copied().find(|bound| *bound >= x * (1.0 - ROUNDING))
    }

    /// T-1: how many times as many events lie above `bound` when everything is slower by
    /// `tolerance` (0.1 for a tenth).
    pub fn tail_ratio(&self, bound: f64, tolerance: f64) -> TailRatio {
        let now = self.share_above(bound);
        let ratio = self.share_above(bound / (1.0 + tolerance)) / now;
        let held = if ratio.is_nan() { RATIO_MOST } else { ratio.clamp(RATIO_LEAST, RATIO_MOST) };
        if held.total_cmp(&ratio).is_eq() {
            return TailRatio { ratio, tolerance };
        }
        let reached = self.value_above(held * now).map(|x| bound / x - 1.0);
        TailRatio { ratio: held, tolerance: reached.unwrap_or(f64::INFINITY) }
    }

    /// The smallest value that no more than `share` of the events exceed: the last bound
    /// where more exceed it, `None` where fewer exceed any.
    fn value_above(&self, share: f64) -> Option<f64> {
        let share = share.max(self.share_of(0.0));
        let corners = self.corners().zip(self.corners().skip(1));
        let mut last = None;
        for ((low, at_low), (high, at_high)) in corners {
            if share > at_low {
                break;
            }
            if share >= at_high {
                // An empty bucket loses no share.
                let fall = (at_high / at_low).ln();
                let part = if fall < 0.0 { (share / at_low).ln() / fall } else { 0.0 };
                return Some(low * (high / low).powf(part));
            }
            last = Some(high);
        }
        last
    }

    /// Where the first bucket is thought to begin.
    fn edge(&self) -> f64 {
        let first = self.bounds.first().copied().unwrap_or(f64::NAN);
        let width = self.bounds.get(1).map_or(LONE_WIDTH, |second| second / first);
        first / width
    }

    /// The edge and the bounds, each with the share of the events above it.
    fn corners(&self) -> impl Iterator<Item = (f64, f64)> + '_ {
        let mut below = self.below;
        let after = self.bounds.iter().zip(self.counts).map(move |(bound, events)| {
            below += events;
            (*bound, self.share_of(self.total - below))
        });
        std::iter::once((self.edge(), self.share_of(self.total - self.below))).chain(after)
    }

    fn share_of(&self, events: f64) -> f64 {
        events.max(LEAST_EVENTS) / self.total.max(LEAST_EVENTS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: [f64; 12] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, f64::INFINITY];
    const COUNTS: [f64; 12] = [3.0, 40.0, 900.0, 4100.0, 9800.0, 8200.0, 1500.0, 240.0, 18.0, 0.0, 0.0, 0.0];

    fn usual() -> Survival<'static> {
        Survival::new(&BOUNDS, &COUNTS).unwrap()
    }

    #[track_caller]
    fn close(actual: f64, expect: f64) {
        assert!((actual / expect - 1.0).abs() < 1e-12, "{actual} is not {expect}");
    }

    #[test]
    fn shares_and_quantiles_agree_with_interpolation_in_logarithms() {
        // By numpy: interp of ln S in ln x.
        for (x, expect) in [
            (0.003, 0.999_968_181_186_546_7),
            (0.02, 0.970_691_357_008_695_1),
            (0.08, 0.500_609_802_553_985_1),
            (0.3, 0.042_789_481_528_906_55),
            (0.7, 0.002_856_462_722_534_084_4),
        ] {
            close(usual().share_above(x), expect);
        }
        for (q, expect) in [
            (0.5, 0.080_098_703_299_883_3),
            (0.95, 0.283_590_525_752_852_6),
            (0.99, 0.505_166_764_153_153_8),
            (0.999, 0.919_947_729_027_272_6),
        ] {
            close(usual().quantile(q), expect);
            close(usual().share_above(expect), 1.0 - q);
        }
        for (bound, tolerance, expect) in [
            (0.5, 0.1, 1.301_953_045_550_980_2),
            (0.5, 0.5, 3.072_608_725_567_142_6),
            (1.0, 0.1, 1.442_121_377_738_954_8),
            (0.25, 0.2, 1.412_084_910_431_008),
        ] {
            let tail = usual().tail_ratio(bound, tolerance);
            close(tail.ratio, expect);
            close(tail.tolerance, tolerance);
        }
    }

    #[test]
    fn a_ratio_that_is_held_tells_the_tolerance_that_it_stands_for() {
        // Four in ten lie above 0.1: a percent more time is less than 1.05 times as many.
        let low = usual().tail_ratio(0.1, 0.01);
        close(low.ratio, 1.05);
        assert!(low.tolerance > 0.01 && low.tolerance.is_finite());
        close(usual().share_above(0.1 / (1.0 + low.tolerance)), 1.05 * usual().share_above(0.1));
        let high = usual().tail_ratio(2.5, 2.0);
        close(high.ratio, 5.0);
        assert!(high.tolerance < 2.0);
        close(usual().share_above(2.5 / (1.0 + high.tolerance)), 5.0 * usual().share_above(2.5));
        // Nearly everything is above the first bound: no slowing makes it 5 % more.
        assert!(usual().tail_ratio(0.005, 0.1).tolerance.is_infinite());
    }

    #[test]
    fn an_empty_tail_is_half_an_event_and_no_quantile_lies_in_it() {
        close(usual().share_above(2.5), 0.5 / 24801.0);
        close(usual().share_above(100.0), 0.5 / 24801.0);
        close(usual().quantile(1.0), 2.5);
        let mut counts = COUNTS;
        counts[11] = 100.0;
        close(Survival::new(&BOUNDS, &counts).unwrap().quantile(0.999), 10.0);
    }

    #[test]
    fn bounds_are_found_by_ratio() {
        close(usual().nearest_bound(0.16), 0.25);
        close(usual().nearest_bound(0.15), 0.1);
        close(usual().bound_from(0.1 * (1.0 + 1e-12)).unwrap(), 0.1);
        close(usual().bound_from(0.11).unwrap(), 0.25);
        assert_eq!(usual().bound_from(10.1), None);
    }

    #[test]
    fn the_first_bucket_begins_one_bucket_lower_and_a_lone_one_at_half() {
        close(usual().quantile(0.0), 0.0025);
        close(usual().share_above(0.001), 1.0);
        let lone = Survival::new(&[4.0, f64::INFINITY], &[75.0, 25.0]).unwrap();
        close(lone.quantile(0.5), 2.0 * 2.0_f64.sqrt());
        close(lone.quantile(0.9), 4.0);
        // A bucket up to 0 has no logarithm: its events lie below all others.
        let zero = Survival::new(&[0.0, 1.0, 2.0, f64::INFINITY], &[50.0, 30.0, 20.0, 0.0]).unwrap();
        close(zero.share_above(0.1), 0.5);
        close(zero.quantile(0.2), 0.5);
    }

    #[test]
    fn what_is_no_histogram_has_no_tail() {
        let inf = f64::INFINITY;
        for (bounds, counts) in [
            (vec![], vec![]),
            (vec![inf], vec![3.0]),
            (vec![1.0, 2.0], vec![1.0, 1.0]),
            (vec![2.0, 1.0, inf], vec![1.0, 1.0, 1.0]),
            (vec![-1.0, 0.0, inf], vec![1.0, 1.0, 1.0]),
            (vec![1.0, f64::NAN, inf], vec![1.0, 1.0, 1.0]),
            (vec![1.0, inf], vec![1.0]),
            (vec![1.0, inf], vec![1.0, -1.0]),
            (vec![1.0, inf], vec![f64::NAN, 1.0]),
            (vec![1.0, inf], vec![0.0, 0.0]),
        ] {
            assert_eq!(Survival::new(&bounds, &counts), None, "{bounds:?} {counts:?}");
        }
        for x in [f64::NAN, 0.0, -1.0, inf] {
            let tail = usual().tail_ratio(x, f64::NAN);
            assert!(!usual().share_above(x).is_nan() && !usual().nearest_bound(x).is_nan() && tail.ratio <= 5.0);
        }
        assert!(!usual().quantile(f64::NAN).is_nan());
    }
}
