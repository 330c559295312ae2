//! Means of instances against means of instances (P-1): the instance is the unit of
//! evidence, so offsets between instances, dependence in time and shocks that all share
//! are in the spread by themselves.
//!
//! Student (1908) with a pooled variance where both cohorts have instances enough, and
//! Welch (1947) where few canaries may spread otherwise than many others.

use crate::stats::interval::Interval;
use crate::stats::student::student_to_normal;
use crate::stats::student::student_upper_inverse_ln;

/// The least relative error that a difference is credited with.
const LEAST_ERROR: f64 = 1e-9;

/// How the variance of the difference is estimated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spread {
    /// One variance for both cohorts.
    Pooled,
    /// Each cohort its own, with Satterthwaite's degrees of freedom.
    Welch,
}

/// A difference of means with its error.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MeanDifference {
    /// Canary less baseline, in the unit of the values.
    pub estimate: f64,
    /// Its standard error; positive.
    pub se: f64,
    /// Degrees of freedom of the error.
    pub nu: f64,
}

impl MeanDifference {
    /// The difference above `margin`, in standard errors.
    pub fn t_above(&self, margin: f64) -> f64 {
        (self.estimate - margin) / self.se
    }

    /// The same as a normal deviate (G-6).
    pub fn z_above(&self, margin: f64) -> f64 {
        student_to_normal(self.t_above(margin), self.nu)
    }

    /// The interval that leaves out `exp(ln_tail)` on each side.
    pub fn interval(&self, ln_tail: f64) -> Interval {
        let reach = student_upper_inverse_ln(ln_tail, self.nu) * self.se;
        Interval { estimate: self.estimate, low: self.estimate - reach, high: self.estimate + reach }
    }
}

/// `None` where a cohort has fewer than two values, or a value is not finite.
pub fn mean_difference(canary: &[f64], baseline: &[f64], spread: Spread) -> Option<MeanDifference> {
    let (canary, baseline) = (Moments::of(canary)?, Moments::of(baseline)?);
    let (own, other) = (canary.variance / canary.n, baseline.variance / baseline.n);
    let freedom = canary.n + baseline.n - 2.0;
    let (variance, nu) = match spread {
        Spread::Pooled => {
            let squares = canary.variance * (canary.n - 1.0) + baseline.variance * (baseline.n - 1.0);
            (squares / freedom * (1.0 / canary.n + 1.0 / baseline.n), freedom)
        }
        Spread::Welch => {
            let whole = own + other;
            let nu = whole * whole / (own * own / (canary.n - 1.0) + other * other / (baseline.n - 1.0));
            (whole, nu)
        }
    };
    // Instances that never vary do differ or do not, but not infinitely surely.
    let least = LEAST_ERROR * canary.mean.abs().max(baseline.mean.abs());
    let se = variance.sqrt().max(least).max(f64::MIN_POSITIVE);
    let nu = if nu.is_nan() { freedom } else { nu };
    let difference = MeanDifference { estimate: canary.mean - baseline.mean, se, nu };
    (se.is_finite() && difference.estimate.is_finite()).then_some(difference)
}

struct Moments {
    n: f64,
    mean: f64,
    variance: f64,
}

impl Moments {
    fn of(values: &[f64]) -> Option<Self> {
        let count = u32::try_from(values.len()).ok()?;
        if count < 2 || !values.iter().all(|value| value.is_finite()) {
            return None;
        }
        let n = f64::from(count);
        let mean = values.iter().sum::<f64>() / n;
        let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0);
        Some(Self { n, mean, variance })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn swapped_cohorts_mirror() {
        let (a, b) = ([1.0, 2.0, 4.0], [0.5, 0.7, 0.1, 0.9]);
        for spread in [Spread::Pooled, Spread::Welch] {
            let forth = mean_difference(&a, &b, spread).unwrap();
            let back = mean_difference(&b, &a, spread).unwrap();
            assert!((forth.z_above(0.0) + back.z_above(0.0)).abs() < 1e-12);
        }
    }

    #[test]
    fn instances_that_never_vary_differ_or_do_not() {
        let z = |a, b| mean_difference(&[a, a], &[b, b, b], Spread::Pooled).unwrap().z_above(0.0);
        assert!(z(1.0, 1.0).abs() < 1e-12 && z(2.0, 1.0) > 8.0 && z(1.0, 2.0) < -8.0);
    }

    #[test]
    fn one_instance_says_nothing() {
        assert!(mean_difference(&[1.0], &[1.0, 2.0], Spread::Pooled).is_none());
        assert!(mean_difference(&[1.0, f64::NAN], &[2.0, 3.0], Spread::Pooled).is_none());
    }
}
