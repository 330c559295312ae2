//! The histogram of a service whose latencies are lognormal with the stated median and 99th
//! percentile, in the buckets that client libraries have by default.

use crate::plan::power::chances::reaches;
use crate::stats;

/// Client libraries' default bounds, in seconds.
const BOUNDS: [f64; 12] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, f64::INFINITY];
/// The normal deviate of the 99th percentile.
const P99: f64 = 2.326_347_874_040_841;
/// Of so many slowings the largest is past any that is asked about.
const SLOWEST: f64 = 1e4;

/// How a cohort's events spread over buckets.
#[derive(Clone, Debug, PartialEq)]
pub struct Shape {
    /// Upper bounds, ascending, the last infinite.
    bounds: Vec<f64>,
    /// The share of the events in each.
    pub(super) shares: Vec<f64>,
    /// Median and deviation of the logarithm, where the shape is that of a lognormal: between
    /// two bounds it is known better than its buckets tell.
    lognormal: Option<[f64; 2]>,
}

impl Shape {
    /// Of a lognormal with this median and 99th percentile, in seconds.
    pub(super) fn lognormal([median, p99]: [f64; 2]) -> Self {
        let deviation = ((p99 / median).ln() / P99).max(1e-3);
        let whole = Self { bounds: BOUNDS.to_vec(), shares: Vec::new(), lognormal: Some([median, deviation]) };
        Self { shares: whole.slower(1.0), ..whole }
    }

    /// From events in buckets; `None` where there are none.
    pub fn measured(bounds: &[f64], counts: &[f64]) -> Option<Self> {
        stats::Survival::new(bounds, counts)?;
        let all: f64 = counts.iter().sum();
        let shares = counts.iter().map(|count| count / all).collect();
        Some(Self { bounds: bounds.to_vec(), shares, lognormal: None })
    }

    /// The share of the events above `x`.
    pub(super) fn above(&self, x: f64) -> f64 {
        // So many events that no tail of them is less than one.
        const MANY: f64 = 1e9;
        match self.lognormal {
            Some([median, deviation]) => stats::normal_upper((x / median).ln() / deviation),
            None => self.with(MANY, |survival| survival.share_above(x)).unwrap_or(0.0),
        }
    }

    /// What the engine reads of `events` of this shape: it knows buckets alone.
    pub(super) fn with<T>(&self, events: f64, read: impl Fn(&stats::Survival<'_>) -> T) -> Option<T> {
        let counts: Vec<f64> = self.shares.iter().map(|share| share * events).collect();
        stats::Survival::new(&self.bounds, &counts).map(|survival| read(&survival))
    }

    /// The share in each bucket where everything takes `times` as long.
    fn slower(&self, times: f64) -> Vec<f64> {
        let mut above = 1.0;
        let share = |bound: &f64| {
            let beyond = if bound.is_finite() { self.above(bound / times) } else { 0.0 };
            let share = above - beyond;
            above = beyond;
            share.max(0.0)
        };
        self.bounds.iter().map(share).collect()
    }

    /// How likelier than even a canary event is the slower one, where all of them take `times` as long.
    pub fn points(&self, times: f64) -> f64 {
        let (mut below, mut chance) = (0.0, 0.0);
        for (own, other) in self.slower(times).iter().zip(&self.slower(1.0)) {
            chance += own * (below + 0.5 * other);
            below += other;
        }
        chance - 0.5
    }

    /// The slowing that makes it so likely; `None` where none does.
    pub fn times(&self, points: f64) -> Option<f64> {
        reaches(0.0, SLOWEST.ln(), points, |times| self.points(times.exp())).map(f64::exp)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shape_has_the_percentiles_that_it_was_made_of() {
        let shape = Shape::lognormal([0.1, 0.5]);
        assert!((shape.shares.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        assert!((shape.above(0.1) - 0.5).abs() < 1e-9 && (shape.above(0.5) - 0.01).abs() < 1e-9);
    }

    #[test]
    fn a_slowing_and_its_probability_are_one() {
        let shape = Shape::lognormal([0.08, 0.5]);
        assert!(shape.points(1.0).abs() < 1e-12);
        let points = shape.points(1.1);
        assert!(points > 0.02 && points < 0.05, "{points}");
        assert!((shape.times(points).unwrap() - 1.1).abs() < 1e-6);
        assert_eq!(shape.times(0.6), None);
    }

    #[test]
    fn nothing_has_no_shape() {
        assert_eq!(Shape::measured(&[1.0, f64::INFINITY], &[0.0, 0.0]), None);
        assert!(Shape::measured(&[1.0, f64::INFINITY], &[3.0, 1.0]).is_some());
    }
}
