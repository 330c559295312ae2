//! What a threshold with `k` of the last `n` samples promises when samples are independent.

use crate::stats::special::binomial_upper_ln;

/// At most the chance that some of `looks` finds `count` or more of its last `samples` beyond
/// a threshold that each one exceeds with the chance `exceedance`: the union bound, at most 1.
///
/// 1 where `exceedance` is not a number, or where no sample need exceed it.
pub fn breach_false_alarm(exceedance: f64, count: u32, samples: u32, looks: u32) -> f64 {
    let one = binomial_upper_ln(f64::from(count), f64::from(samples), exceedance).exp();
    (f64::from(looks) * one).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_is_that_of_all_looks_together() {
        // By scipy: looks · binom.sf(count − 1, samples, exceedance).
        for (exceedance, count, samples, looks, expect) in [
            (0.01, 3, 5, 60, 0.000_591_036),
            (0.05, 3, 5, 240, 0.277_95),
            (0.001, 2, 4, 1000, 0.005_992_003),
            (0.02, 5, 5, 48, 1.536e-7),
        ] {
            let actual = breach_false_alarm(exceedance, count, samples, looks);
            assert!((actual / expect - 1.0).abs() < 1e-12, "{actual} is not {expect}");
        }
    }

    #[test]
    fn what_is_certain_or_no_chance_is_promised_as_such() {
        for (exceedance, count, samples, looks, expect) in [
            (0.0, 1, 5, 60, 0.0),
            (1.0, 5, 5, 1, 1.0),
            (0.1, 0, 5, 3, 1.0),
            (0.1, 6, 5, 60, 0.0),
            (0.9, 1, 5, 60, 1.0),
            (f64::NAN, 3, 5, 1, 1.0),
            (0.5, 3, 5, 0, 0.0),
        ] {
            assert!(
                (breach_false_alarm(exceedance, count, samples, looks) - expect).abs() <= 0.0,
                "{exceedance} {count}"
            );
        }
    }
}
