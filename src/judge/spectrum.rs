//! All events of a histogram by bucket: what people ask for beside a verdict (H-4), and the
//! past that a tail is measured by (T-1).

use crate::series::Buckets;

/// Most bounds that are added up: classic histograms have a dozen and native ones some
/// hundred; what changes its bounds all the time tells no quantile.
const BOUNDS_MAX: usize = 1000;

/// Quantiles that are shown, by name, canary first.
const SHOWN: [(f64, [&str; 2]); 3] = [
    (0.5, ["p50_canary", "p50_baseline"]),
    (0.95, ["p95_canary", "p95_baseline"]),
    (0.99, ["p99_canary", "p99_baseline"]),
];

/// Events of both cohorts by upper bound.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Spectrum {
    bounds: Vec<f64>,
    canary: Vec<f64>,
    baseline: Vec<f64>,
}

#[cfg(test)]
crate::judge::footprint::fields!(Spectrum: bounds, canary, baseline);

impl Spectrum {
    /// Adds one interval; both cohorts have the same bounds.
    pub(crate) fn add(&mut self, canary: &Buckets, baseline: &Buckets) {
        if self.bounds != canary.bounds() {
            self.widen(canary.bounds());
        }
        let mut place = 0;
        for ((bound, canary), baseline) in canary.bounds().iter().zip(canary.counts()).zip(baseline.counts()) {
            while self.bounds.get(place).is_some_and(|own| own < bound) {
                place += 1;
            }
            if let (Some(own), Some(other)) = (self.canary.get_mut(place), self.baseline.get_mut(place)) {
                *own += canary;
                *other += baseline;
            }
        }
    }

    /// Takes in `bounds`. A bucket that a new bound cuts stays with its upper bound: what is
    /// shown is no better than the coarsest of the histograms.
    fn widen(&mut self, bounds: &[f64]) {
        let mut all: Vec<f64> = self.bounds.iter().chain(bounds).copied().collect();
        all.sort_by(f64::total_cmp);
        all.dedup();
        if all.len() > BOUNDS_MAX {
            return;
        }
        let moved = |counts: &[f64]| {
            let place = |bound: &f64| self.bounds.binary_search_by(|own| own.total_cmp(bound)).ok();
            let of = |bound: &f64| place(bound).and_then(|place| counts.get(place)).copied().unwrap_or(0.0);
            all.iter().map(of).collect()
        };
        (self.canary, self.baseline) = (moved(&self.canary), moved(&self.baseline));
        self.bounds = all;
    }

    /// Upper bounds and the baseline's events in each bucket.
    pub(crate) fn baseline(&self) -> (&[f64], &[f64]) {
        (&self.bounds, &self.baseline)
    }

    /// Quantiles of both cohorts, and where the shares of events differ the most.
    pub(crate) fn details(&self) -> Vec<(&'static str, f64)> {
        let mut details = Vec::with_capacity(8);
        for (share, names) in SHOWN {
            for (name, counts) in names.into_iter().zip([&self.canary, &self.baseline]) {
                details.extend(quantile(&self.bounds, counts, share).map(|value| (name, value)));
            }
        }
        if let Some((bound, shift)) = self.largest_shift() {
            details.extend([("largest_shift", shift), ("largest_shift_below", bound)]);
        }
        details
    }

    /// The finite bound below which the cohorts' shares differ the most, and by how much the
    /// canary's is less.
    fn largest_shift(&self) -> Option<(f64, f64)> {
        let (canary, baseline) = (self.canary.iter().sum::<f64>(), self.baseline.iter().sum::<f64>());
        if canary <= 0.0 || baseline <= 0.0 {
            return None;
        }
        let (mut below, mut largest) = (0.0, None);
        for ((bound, own), other) in self.bounds.iter().zip(&self.canary).zip(&self.baseline) {
            below += other / baseline - own / canary;
            if bound.is_finite() && largest.is_none_or(|(_, shift): (f64, f64)| below.abs() > shift.abs()) {
                largest = Some((*bound, below));
            }
        }
        largest
    }
}

/// The quantile as Prometheus has it: linear within a bucket, the last finite bound where it
/// lies beyond; `None` without events or without a finite bound.
fn quantile(bounds: &[f64], counts: &[f64], share: f64) -> Option<f64> {
    let rank = share * counts.iter().sum::<f64>();
    let last = bounds.iter().rev().find(|bound| bound.is_finite())?;
    let (mut below, mut lower) = (0.0, bounds.first().map_or(0.0, |first| first.min(0.0)));
    for (bound, count) in bounds.iter().zip(counts) {
        if *count > 0.0 && below + count >= rank {
            return Some(if bound.is_finite() { lower + (bound - lower) * (rank - below) / count } else { *last });
        }
        below += count;
        lower = *bound;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const INF: f64 = f64::INFINITY;

    fn buckets(bounds: &[f64], counts: &[f64]) -> Buckets {
        Buckets::new(bounds.to_vec(), counts.to_vec()).unwrap()
    }

    #[test]
    fn quantiles_are_those_of_prometheus() {
        let bounds = [0.1, 0.2, 0.5, INF];
        assert_eq!(quantile(&bounds, &[10.0, 10.0, 0.0, 0.0], 0.5), Some(0.1));
        assert_eq!(quantile(&bounds, &[10.0, 10.0, 0.0, 0.0], 0.75), Some(0.150_000_000_000_000_02));
        assert_eq!(quantile(&bounds, &[0.0, 0.0, 0.0, 4.0], 0.5), Some(0.5));
        assert_eq!(quantile(&bounds, &[0.0; 4], 0.5), None);
        assert_eq!(quantile(&[INF], &[4.0], 0.5), None);
    }

    #[test]
    fn other_bounds_are_taken_in_and_no_event_is_lost() {
        let mut spectrum = Spectrum::default();
        let one = buckets(&[1.0, INF], &[4.0, 1.0]);
        let other = buckets(&[0.5, 1.0, 2.0, INF], &[1.0, 2.0, 3.0, 4.0]);
        spectrum.add(&one, &one);
        spectrum.add(&other, &other);
        spectrum.add(&one, &one);
        assert_eq!(spectrum.baseline(), (&[0.5, 1.0, 2.0, INF][..], &[1.0, 10.0, 3.0, 6.0][..]));
    }

    #[test]
    fn the_largest_shift_is_that_of_the_shares() {
        let mut spectrum = Spectrum::default();
        spectrum.add(&buckets(&[1.0, 2.0, INF], &[1.0, 1.0, 2.0]), &buckets(&[1.0, 2.0, INF], &[6.0, 4.0, 0.0]));
        assert_eq!(spectrum.largest_shift(), Some((2.0, 0.5)));
    }
}
