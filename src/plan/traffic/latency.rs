//! Lognormal latencies in buckets, drawn bucket by bucket from the exact probabilities and
//! not request by request.

use crate::plan::traffic::Random;
use crate::series::Buckets;
use crate::series::Measure;
use statrs::function::erf::erfc;
use std::f64::consts::SQRT_2;

/// Client libraries' default bounds, in seconds.
const BOUNDS: [f64; 12] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, f64::INFINITY];
/// Medians that the default bounds are made for: with others a service has buckets of its own.
const MEDIANS: [f64; 2] = [0.01, 1.0];
/// Between the median and the 99th percentile of a normal variable of deviation 1.
const TO_P99: f64 = 2.326_347_874_040_841;
/// No distribution is narrower, in the deviation of its logarithm: a bucket would hold all of it.
const LEAST_SIGMA: f64 = 0.01;

/// How long requests take.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Latency {
    /// Half of them take less.
    median: f64,
    /// Deviation of the logarithm.
    sigma: f64,
    bounds: [f64; BOUNDS.len()],
}

impl Default for Latency {
    /// A median of 80 ms and a deviation of 0.8 in Prometheus' default buckets.
    fn default() -> Self {
        Self { median: 0.08, sigma: 0.8, bounds: BOUNDS }
    }
}

impl Latency {
    /// From a median and a 99th percentile. Where the default buckets would not show them,
    /// the buckets are those times a power of ten.
    pub fn of([median, p99]: [f64; 2]) -> Self {
        let sigma = ((p99 / median).ln() / TO_P99).max(LEAST_SIGMA);
        let [least, most] = MEDIANS;
        let tens = if median < least || most < median { (median / least).log10().floor() } else { 0.0 };
        let scale = 10_f64.powf(tens);
        Self { median, sigma, bounds: BOUNDS.map(|bound| bound * scale) }
    }

    /// A Poisson number of requests that take `level` times as long as usual, and a
    /// share of them a factor longer still.
    pub(super) fn draw(&self, random: &mut Random, requests: f64, level: f64, (share, factor): (f64, f64)) -> Measure {
        let mut shares = self.shares(level);
        if share > 0.0 {
            let slow = self.shares(level * factor);
            for (all, slow) in shares.iter_mut().zip(slow) {
                *all += share * (slow - *all);
            }
        }
        // A Poisson number of requests spread over buckets: independent Poisson counts.
        let counts = shares.map(|share| random.events(requests * share)).to_vec();
        Buckets::new(self.bounds.to_vec(), counts).map_or(Measure::Nothing, Measure::Buckets)
    }

    /// The factor by which latencies grow where a canary request is slower than a
    /// baseline request with a chance of 1/2 + `excess`, as the buckets see it.
    pub fn factor_of(&self, excess: f64) -> f64 {
        let baseline = self.shares(1.0);
        let seen = |factor: f64| {
            let mut below = 0.0;
            let mut chance = 0.0;
            for (canary, baseline) in self.shares(factor).iter().zip(baseline) {
                chance += canary * (below + 0.5 * baseline);
                below += baseline;
            }
            chance - 0.5
        };
        let (mut low, mut high) = (0.1, 10.0);
        for _ in 0..60 {
            let middle = 0.5 * (low + high);
            if seen(middle) < excess {
                low = middle;
            } else {
                high = middle;
            }
        }
        0.5 * (low + high)
    }

    /// The probability of each bucket.
    fn shares(&self, level: f64) -> [f64; BOUNDS.len()] {
        let median = self.median * level;
        let mut below = 0.0;
        self.bounds.map(|bound| {
            let until = 0.5 * erfc((median.ln() - bound.ln()) / (self.sigma * SQRT_2));
            let share = (until - below).max(0.0);
            below = until;
            share
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_latency_has_its_median_and_its_99th_percentile() {
        for stated in [[0.08, 0.6], [0.0002, 0.001], [30.0, 90.0]] {
            let latency = Latency::of(stated);
            let below = |at: f64| 0.5 * erfc((latency.median.ln() - at.ln()) / (latency.sigma * SQRT_2));
            assert!((below(stated[0]) - 0.5).abs() < 1e-12, "{stated:?}");
            assert!((below(stated[1]) - 0.99).abs() < 1e-9, "{stated:?}");
            let shares = latency.shares(1.0);
            assert!(shares.iter().all(|share| *share < 0.6), "{shares:?} of {stated:?}");
        }
    }

    #[test]
    fn a_factor_shifts_by_what_it_was_asked_for() {
        for excess in [0.02, 0.06, 0.2, -0.1] {
            let latency = Latency::default();
            let factor = latency.factor_of(excess);
            assert_eq!(factor > 1.0, excess > 0.0, "{factor}");
        }
    }
}
