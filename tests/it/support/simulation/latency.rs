//! Lognormal latencies in Prometheus' default buckets: a median of 80 ms and a
//! deviation of 0.8 of the logarithm, drawn bucket by bucket from the exact
//! probabilities and not request by request.

use crate::support::random::Random;
use statrs::function::erf::erfc;
use std::f64::consts::SQRT_2;
use wavegate::series::Buckets;
use wavegate::series::Measure;

/// Client libraries' default bounds, in seconds.
const BOUNDS: [f64; 12] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, f64::INFINITY];
/// Half of all requests take less, in seconds.
const MEDIAN: f64 = 0.08;
/// Deviation of the logarithm.
const SIGMA: f64 = 0.8;

/// A Poisson number of requests that take `level` times as long as usual, and a
/// share of them a factor longer still.
pub(crate) fn draw(random: &mut Random, requests: f64, level: f64, (share, factor): (f64, f64)) -> Measure {
    let mut shares = shares(level);
    if share > 0.0 {
        let slow = self::shares(level * factor);
        for (all, slow) in shares.iter_mut().zip(slow) {
            *all += share * (slow - *all);
        }
    }
    // A Poisson number of requests spread over buckets: independent Poisson counts.
    let counts = shares.map(|share| random.events(requests * share)).to_vec();
    Buckets::new(BOUNDS.to_vec(), counts).map_or(Measure::Nothing, Measure::Buckets)
}

/// The factor by which latencies grow where a canary request is slower than a
/// baseline request with a chance of 1/2 + `excess`, as the buckets see it.
pub(crate) fn factor_of(excess: f64) -> f64 {
    let baseline = shares(1.0);
    let seen = |factor: f64| {
        let mut below = 0.0;
        let mut chance = 0.0;
        for (canary, baseline) in shares(factor).iter().zip(baseline) {
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
fn shares(level: f64) -> [f64; BOUNDS.len()] {
    let median = MEDIAN * level;
    let mut below = 0.0;
    BOUNDS.map(|bound| {
        let until = 0.5 * erfc((median.ln() - bound.ln()) / (SIGMA * SQRT_2));
        let share = (until - below).max(0.0);
        below = until;
        share
    })
}
