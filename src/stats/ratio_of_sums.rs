//! Rates of rates, such as processor seconds per request (G-9): one sum over another, in
//! both cohorts.
//!
//! A quotient of each interval gives a quiet minute the weight of a busy one. The ratio of
//! the sums does not, and its linearisation tells what each interval adds to it: pseudo-values
//! whose mean is the logarithm of the ratio and whose spread is that of its error (the delta
//! method; Cochran 1977, ch. 6), ready for [`crate::stats::paired_mean`] without clipping.

use crate::stats::autocorrelation::count;

/// A cohort's quotient, interval by interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quotient<'a> {
    /// What is divided: seconds, bytes; at least 0.
    pub numerators: &'a [f64],
    /// By what: requests; at least 0.
    pub denominators: &'a [f64],
}

impl Quotient<'_> {
    /// The two sums; `None` where one is not positive or a value is negative or not finite.
    fn sums(&self) -> Option<(f64, f64)> {
        let sum = |values: &[f64]| {
            let usable = values.iter().all(|value| *value >= 0.0);
            let sum: f64 = values.iter().sum();
            (usable && sum > 0.0 && sum.is_finite()).then_some(sum)
        };
        let same_length = self.numerators.len() == self.denominators.len();
        same_length.then_some((sum(self.numerators)?, sum(self.denominators)?))
    }

    /// What each interval adds to the logarithm of the quotient, by its share of the numerator.
    fn influences(&self) -> Option<impl Iterator<Item = f64>> {
        let (numerator, denominator) = self.sums()?;
        // (C_t − R N_t)/ΣC with R = ΣC/ΣN, as a difference of two shares.
        let pairs = self.numerators.iter().zip(self.denominators);
        Some(pairs.map(move |(above, below)| above / numerator - below / denominator))
    }

    fn ln(&self) -> Option<f64> {
        let (numerator, denominator) = self.sums()?;
        Some(numerator.ln() - denominator.ln())
    }
}

/// G-9: pseudo-values of `ln` of the canary's quotient over the baseline's; their mean is
/// that logarithm. Not to be clipped: an interval far out belongs to both sums.
///
/// `None` where the four slices differ in length, a value is negative or not finite, or a
/// sum is not positive. Time `O(n)`.
pub fn ratio_of_sums(canary: Quotient<'_>, baseline: Quotient<'_>) -> Option<Vec<f64>> {
    if canary.numerators.len() != baseline.numerators.len() {
        return None;
    }
    let theta = canary.ln()? - baseline.ln()?;
    let n = count(canary.numerators.len());
    let influences = canary.influences()?.zip(baseline.influences()?);
    Some(influences.map(|(own, other)| theta + n * (own - other)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::PairedOptions;
    use crate::stats::Prior;
    use crate::stats::Track;
    use crate::stats::paired_mean;

    const SECONDS: [f64; 6] = [12.0, 30.0, 9.0, 14.0, 55.0, 20.0];
    const REQUESTS: [f64; 6] = [100.0, 260.0, 80.0, 110.0, 500.0, 150.0];
    const OTHER_SECONDS: [f64; 6] = [11.0, 25.0, 10.0, 13.0, 47.0, 16.0];
    const OTHER_REQUESTS: [f64; 6] = [105.0, 240.0, 90.0, 120.0, 490.0, 155.0];

    fn canary() -> Quotient<'static> {
        Quotient { numerators: &SECONDS, denominators: &REQUESTS }
    }

    fn baseline() -> Quotient<'static> {
        Quotient { numerators: &OTHER_SECONDS, denominators: &OTHER_REQUESTS }
    }

    #[track_caller]
    fn close(actual: f64, expect: f64) {
        assert!((actual - expect).abs() < 1e-12, "{actual} is not {expect}");
    }

    #[test]
    fn the_mean_is_the_logarithm_of_the_ratio_and_the_spread_that_of_the_delta_method() {
        // By numpy: theta, and the square root of the sum of squares about it over 5 · 6.
        let values = ratio_of_sums(canary(), baseline()).unwrap();
        let prior = Prior { autocorrelation: 0.0, points: 1e18 };
        let mean = paired_mean(Track::whole(&values), &PairedOptions { prior, strict: false, clip: false }).unwrap();
        close(mean.mean, 0.137_621_377_876_047_7);
        close(mean.se, 0.021_812_147_128_438_996);
        close(values[4], 0.133_288_825_182_839_33);
    }

    #[test]
    fn a_cohort_against_itself_does_not_differ() {
        assert!(ratio_of_sums(canary(), canary()).unwrap().iter().all(|value| value.abs() <= 0.0));
    }

    #[test]
    fn swapped_cohorts_mirror() {
        let (forth, back) =
            (ratio_of_sums(canary(), baseline()).unwrap(), ratio_of_sums(baseline(), canary()).unwrap());
        for (forth, back) in forth.iter().zip(&back) {
            close(forth + back, 0.0);
        }
    }

    #[test]
    fn what_is_no_quotient_has_no_values() {
        let none = Quotient { numerators: &[], denominators: &[] };
        assert_eq!(ratio_of_sums(none, none), None);
        for bad in [f64::NAN, -1.0, f64::INFINITY] {
            let hostile = Quotient { numerators: &[1.0, bad], denominators: &[1.0, 1.0] };
            let fine = Quotient { numerators: &[1.0, 1.0], denominators: &[1.0, 1.0] };
            assert_eq!(ratio_of_sums(hostile, fine), None);
            assert_eq!(ratio_of_sums(fine, hostile), None);
        }
        let still = Quotient { numerators: &[0.0; 6], denominators: &REQUESTS };
        assert_eq!(ratio_of_sums(canary(), still), None);
        let short = Quotient { numerators: &SECONDS[..5], denominators: &REQUESTS };
        assert_eq!(ratio_of_sums(short, canary()), None);
    }
}
