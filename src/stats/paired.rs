//! The mean of paired differences in time (G-2 … G-6, G-8): what two cohorts share at a
//! moment is gone from their difference, and what is left is judged with the dependence
//! that it shows.
//!
//! A trend is no noise: the spread is that of the residuals about a line, or a canary
//! that gets steadily worse would be the one that is never found. Residuals far out are
//! clipped at 2.5 robust deviations, so one spike neither decides nor hides anything.

use crate::stats::Interval;
use crate::stats::autocorrelation::Fit;
use crate::stats::autocorrelation::Track;
use crate::stats::autocorrelation::count;
use crate::stats::autocorrelation::effective_size;
use crate::stats::autocorrelation::lag1_of_residuals;
use crate::stats::autocorrelation::residuals;
use crate::stats::autocorrelation::variance_inflation;
use crate::stats::student::student_to_normal;
use crate::stats::student::student_upper_inverse_ln;

/// Fewer points than this have no slope: a line through a handful fits noise.
const SLOPE_POINTS: usize = 8;
/// Robust standard deviations beyond which a residual is clipped.
const CLIP: f64 = 2.5;
/// The median absolute deviation of a normal sample, times this, is its standard deviation.
const MAD_TO_DEVIATION: f64 = 1.4826;
/// The least relative error that a mean is credited with: constant cohorts that differ
/// do differ, but not infinitely surely.
const LEAST_ERROR: f64 = 1e-9;

/// The mean of a series of differences, with what its dependence leaves of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PairedMean {
    /// The mean after clipping, in the unit of the differences.
    pub mean: f64,
    /// Its standard error, in the same unit.
    pub se: f64,
    /// Degrees of freedom of the error, at least 0.5.
    pub nu: f64,
    /// Lag-1 autocorrelation of the residuals, from 0 to 0.95.
    pub autocorrelation: f64,
    /// How much more the mean varies than that of independent points; at least 1.
    pub vif: f64,
    /// Points.
    pub n: usize,
    /// What they are worth; at least 1.5.
    pub effective_n: f64,
    /// Points that were clipped because they lay far above, and far below, the rest.
    pub clipped: (usize, usize),
    /// The largest difference, without its sign.
    scale: f64,
}

/// `None` for fewer than two points, or where one is not finite.
///
/// Time `O(n)`.
pub fn paired_mean(track: Track<'_>, prior: f64) -> Option<PairedMean> {
    let (values, n) = (track.values, track.values.len());
    if n < 2 || !values.iter().all(|value| value.is_finite()) {
        return None;
    }
    let fit = if n < SLOPE_POINTS { Fit::Mean } else { Fit::Line };
    let mut rest = residuals(values, fit);
    let (moved, clipped) = clip(&mut rest);
    for residual in &mut rest {
        *residual -= moved;
    }
    let real = count(n);
    let squares: f64 = rest.iter().map(|residual| residual * residual).sum();
    let autocorrelation = lag1_of_residuals(Track { values: &rest, gaps: track.gaps }, fit, prior);
    let vif = variance_inflation(autocorrelation, n);
    let effective_n = effective_size(n, vif);
    let (coefficients, nu) = match fit {
        Fit::Mean => (1.0, (effective_n - 1.0).max(0.5)),
        Fit::Line => (2.0, (effective_n - 2.0).max(0.7)),
    };
    // G-5: the spread of few dependent points is too small by what their mean took along.
    let shrunk = (1.0 - (vif - 1.0) / (real - 1.0)).max(0.1);
    let se = (squares / (real - coefficients).max(1.0) / shrunk / effective_n).sqrt();
    let mean = values.iter().sum::<f64>() / real + moved;
    let scale = values.iter().fold(0.0, |scale: f64, value| scale.max(value.abs()));
    Some(PairedMean { mean, se, nu, autocorrelation, vif, n, effective_n, clipped, scale })
}

impl PairedMean {
    /// G-6: how many standard deviations the mean lies above `margin`, as a normal deviate.
    pub fn z_above(&self, margin: f64) -> f64 {
        let distance = self.mean - margin;
        if distance.abs() <= 0.0 {
            return 0.0;
        }
        student_to_normal(distance / self.error(margin), self.nu)
    }

    /// G-8: the interval that leaves out `exp(ln_tail)` on each side.
    pub fn interval(&self, ln_tail: f64) -> Interval {
        let reach = student_upper_inverse_ln(ln_tail, self.nu) * self.error(0.0);
        Interval { estimate: self.mean, low: self.mean - reach, high: self.mean + reach }
    }

    fn error(&self, margin: f64) -> f64 {
        self.se.max(LEAST_ERROR * self.scale.max(margin.abs())).max(f64::MIN_POSITIVE)
    }
}

/// G-2: clips `residuals` to their median ± 2.5 robust deviations; gives back how far
/// that moved their mean, and how many were clipped from above and from below.
fn clip(residuals: &mut [f64]) -> (f64, (usize, usize)) {
    let middle = median(residuals);
    let deviations: Vec<f64> = residuals.iter().map(|residual| (residual - middle).abs()).collect();
    let spread = median(&deviations);
    if spread <= 0.0 {
        return (0.0, (0, 0));
    }
    let reach = CLIP * MAD_TO_DEVIATION * spread;
    let (low, high) = (middle - reach, middle + reach);
    let (mut moved, mut above, mut below) = (0.0, 0, 0);
    for residual in residuals.iter_mut() {
        let clipped = residual.clamp(low, high);
        above += usize::from(*residual > high);
        below += usize::from(*residual < low);
        moved += clipped - *residual;
        *residual = clipped;
    }
    (moved / count(residuals.len()), (above, below))
}

/// The middle value, or the mean of the two middle ones; 0 of nothing.
pub fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    let half = values.len() / 2;
    if values.is_empty() {
        return 0.0;
    }
    let (below, upper, _) = values.select_nth_unstable_by(half, f64::total_cmp);
    let upper = *upper;
    let lower = below.iter().copied().max_by(f64::total_cmp);
    match lower {
        Some(lower) if values.len().is_multiple_of(2) => f64::midpoint(lower, upper),
        _ => upper,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wiggle(n: usize) -> Vec<f64> {
        (0..n).map(|t| f64::from(u32::try_from(t * 7919 % 101).unwrap()) / 101.0 - 0.5).collect()
    }

    #[test]
    fn a_trend_is_no_noise() {
        let flat = wiggle(60);
        let rising: Vec<f64> = flat.iter().enumerate().map(|(t, value)| value + 0.1 * count(t)).collect();
        let [flat, rising] = [flat, rising].map(|values| paired_mean(Track::whole(&values), 0.6).unwrap());
        assert!((flat.se - rising.se).abs() < 1e-9, "{} {}", flat.se, rising.se);
    }

    #[test]
    fn one_spike_is_clipped_and_counted() {
        let mut values = wiggle(60);
        let quiet = paired_mean(Track::whole(&values), 0.6).unwrap();
        values[30] = 20.0;
        let spiked = paired_mean(Track::whole(&values), 0.6).unwrap();
        assert_eq!((quiet.clipped, spiked.clipped), ((0, 0), (1, 0)));
        assert!(spiked.mean < 0.1 && spiked.se < 1.2 * quiet.se, "{spiked:?}");
    }

    #[test]
    fn constant_cohorts_differ_surely_but_not_infinitely() {
        let same = paired_mean(Track::whole(&[0.0; 20]), 0.6).unwrap();
        assert!(same.z_above(0.05) < -3.0 && same.z_above(0.0).abs() <= 0.0);
        let other = paired_mean(Track::whole(&[0.1; 20]), 0.6).unwrap();
        assert!(other.z_above(0.05) > 3.0 && other.z_above(0.05).is_finite());
        let interval = other.interval(0.005_f64.ln());
        assert!(interval.low < 0.1 && 0.1 < interval.high && interval.high < 0.100_001);
    }

    #[test]
    fn the_interval_ends_where_the_test_does() {
        let mean = paired_mean(Track::whole(&wiggle(40)), 0.6).unwrap();
        let interval = mean.interval(0.01_f64.ln());
        let z = crate::stats::normal_upper_inverse(0.01);
        assert!((mean.z_above(interval.low) - z).abs() < 1e-6 && (mean.z_above(interval.high) + z).abs() < 1e-6);
    }

    #[test]
    fn too_little_and_what_is_no_number_have_no_mean() {
        assert!(paired_mean(Track::whole(&[1.0]), 0.6).is_none());
        assert!(paired_mean(Track::whole(&[1.0, f64::NAN, 2.0]), 0.6).is_none());
        assert!(paired_mean(Track::whole(&[1.0, 2.0]), 0.6).unwrap().z_above(0.0).is_finite());
        assert!(paired_mean(Track::whole(&[1e308, -1e308, 1e308]), 0.6).is_none_or(|mean| !mean.z_above(0.0).is_nan()));
    }

    #[test]
    fn the_median_is_the_middle() {
        for (values, expect) in [(vec![], 0.0), (vec![3.0], 3.0), (vec![4.0, 1.0], 2.5), (vec![9.0, 1.0, 2.0], 2.0)] {
            assert!((median(&values) - expect).abs() <= 0.0);
        }
    }
}
