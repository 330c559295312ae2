//! The mean of paired differences in time (G-2 … G-6, G-8, G-10): what two cohorts share at a
//! moment is gone from their difference, and what is left is judged with the dependence
//! that it shows.
//!
//! A trend is no noise: the spread is that of the residuals about a line, or a canary
//! that gets steadily worse would be the one that is never found. Residuals far out are
//! clipped at 2.5 robust deviations, so one spike neither decides nor hides anything.

use crate::stats::Interval;
use crate::stats::autocorrelation::Fit;
use crate::stats::autocorrelation::Prior;
use crate::stats::autocorrelation::Track;
use crate::stats::autocorrelation::block_inflation;
use crate::stats::autocorrelation::count;
use crate::stats::autocorrelation::effective_size;
use crate::stats::autocorrelation::lag1_of_residuals;
use crate::stats::autocorrelation::residuals;
use crate::stats::autocorrelation::slope;
use crate::stats::autocorrelation::variance_inflation;
use crate::stats::student::student_to_normal;
use crate::stats::student::student_upper_inverse_ln;

/// Fewer points than this have no slope: a line through a handful fits noise.
const SLOPE_POINTS: usize = 8;
/// Robust standard deviations beyond which a residual is clipped.
const CLIP: f64 = 2.5;
/// The median absolute deviation of a normal sample, times this, is its standard deviation.
const MAD_TO_DEVIATION: f64 = 1.4826;
/// The share of a risk that the boundary for [`PairedMean::end`] is made for.
///
/// A level at the end forgets faster than a mean does: at 60 looks of linear spending it
/// crosses a boundary for means 2.2 to 2.4 times as often as that says, and one for this
/// share of the risk 0.86 to 0.94 times as often as the whole risk; fewer looks do so less
/// often (simulated Gaussian levels of known error, risks of 0.005 and 0.0025).
pub const END_SHARE: f64 = 0.4;
/// Above this autocorrelation the promised risks do not hold any more.
const SLUGGISH: f64 = 0.7;
/// The least relative error that a mean is credited with: constant cohorts that differ
/// do differ, but not infinitely surely.
const LEAST_ERROR: f64 = 1e-9;

/// How a series is read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PairedOptions {
    /// The autocorrelation to expect.
    pub prior: Prior,
    /// Believe slow waves that show only in blocks of four points, from 32 points on: fewer
    /// false alarms of sluggish series, and later ones of all.
    pub strict: bool,
    /// Clip what lies far out.
    pub clip: bool,
}

impl PairedOptions {
    /// As G-2 … G-4 have it for points `interval_seconds` apart: clipped, not strict.
    pub fn at(interval_seconds: f64) -> Self {
        Self { prior: Prior::at(interval_seconds), strict: false, clip: true }
    }
}

/// The mean of a series of differences, with what its dependence leaves of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PairedMean {
    /// The mean after clipping, in the unit of the differences.
    pub mean: f64,
    /// Its standard error, in the same unit.
    pub se: f64,
    /// Degrees of freedom of the error, at least 0.5.
    pub nu: f64,
    /// How much the fitted line rises over as many intervals as there are points, after
    /// clipping; 0 for fewer than 8 points.
    pub slope: f64,
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

/// `None` for fewer than two points, or where one, or a sum of them, is not finite.
///
/// A series that is seen to be sluggish is read again with the stiff prior, which never
/// makes it less so. Time `O(n)`.
pub fn paired_mean(track: Track<'_>, options: &PairedOptions) -> Option<PairedMean> {
    let (values, n) = (track.values, track.values.len());
    if n < 2 || !values.iter().all(|value| value.is_finite()) {
        return None;
    }
    let fit = if n < SLOPE_POINTS { Fit::Mean } else { Fit::Line };
    let mut rest = residuals(values, fit);
    // Finite values may have a sum that is not, and then nothing else is.
    if !rest.iter().all(|residual| residual.is_finite()) {
        return None;
    }
    let clipped = if options.clip { clip(&mut rest) } else { (0, 0) };
    // What was clipped is no part of the line either: it goes by the least squares of what is left.
    let real = count(n);
    let moved = rest.iter().sum::<f64>() / real;
    let slope = if fit == Fit::Line { slope(values) + slope(&rest) } else { 0.0 };
    for residual in &mut rest {
        *residual -= moved;
    }
    let squares: f64 = rest.iter().map(|residual| residual * residual).sum();
    let rest = Track { values: &rest, gaps: track.gaps };
    let autocorrelation = memory(rest, fit, options.prior);
    let plain = variance_inflation(autocorrelation, n);
    let slow = if options.strict { block_inflation(rest, options.prior) } else { 1.0 };
    let vif = plain.max(slow);
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
    Some(PairedMean { mean, se, nu, slope, autocorrelation, vif, n, effective_n, clipped, scale })
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

    /// G-10: the fitted level at the last point in the place of the mean, with its own
    /// error, about twice the mean's; its boundary is that of [`END_SHARE`] of the risk. Fewer than 8 points have no line: then it is the mean.
    #[must_use]
    pub fn end(&self) -> Self {
        if self.n < SLOPE_POINTS {
            return *self;
        }
        let n = count(self.n);
        let last = 0.5 * (n - 1.0) / n;
        // The squares of the times n add up to (n² − 1)/12 of n, so that the variance of the
        // slope's part is 3 (n − 1)/(n + 1) times the mean's.
        let more = ((4.0 * n - 2.0) / (n + 1.0)).sqrt();
        Self { mean: self.mean + self.slope * last, se: self.se * more, ..*self }
    }

    /// True where neighbours resemble each other more than the promised risks allow for
    /// (section 6): the verdict should say so.
    pub fn is_sluggish(&self) -> bool {
        self.autocorrelation > SLUGGISH
    }

    fn error(&self, margin: f64) -> f64 {
        self.se.max(LEAST_ERROR * self.scale.max(margin.abs())).max(f64::MIN_POSITIVE)
    }
}

/// G-3, with the stiff prior where the other one finds much (section 6).
fn memory(residuals: Track<'_>, fit: Fit, prior: Prior) -> f64 {
    let found = lag1_of_residuals(residuals, fit, prior);
    if found > SLUGGISH { found.max(lag1_of_residuals(residuals, fit, prior.stiffened())) } else { found }
}

/// G-2: clips `residuals` to their median ± 2.5 robust deviations; gives back how many were
/// clipped from above and from below.
fn clip(residuals: &mut [f64]) -> (usize, usize) {
    let (middle, reach) = middle_and_reach(residuals);
    if reach <= 0.0 {
        return (0, 0);
    }
    let (low, high) = (middle - reach, middle + reach);
    let (mut above, mut below) = (0, 0);
    for residual in residuals.iter_mut() {
        above += usize::from(*residual > high);
        below += usize::from(*residual < low);
        *residual = residual.clamp(low, high);
    }
    (above, below)
}

/// The median, and the 2.5 robust deviations beyond which a value is far out.
pub(crate) fn middle_and_reach(values: &[f64]) -> (f64, f64) {
    let middle = median(values);
    let deviations: Vec<f64> = values.iter().map(|value| (value - middle).abs()).collect();
    (middle, CLIP * MAD_TO_DEVIATION * median(&deviations))
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
    use crate::stats::autocorrelation::lag1;

    fn wiggle(n: usize) -> Vec<f64> {
        (0..n).map(|t| f64::from(u32::try_from(t * 7919 % 101).unwrap()) / 101.0 - 0.5).collect()
    }

    fn read(values: &[f64]) -> Option<PairedMean> {
        paired_mean(Track::whole(values), &PairedOptions::at(15.0))
    }

    /// Points that are thought to be independent.
    fn independent(values: &[f64]) -> PairedMean {
        let prior = Prior { autocorrelation: 0.0, points: 1e18 };
        paired_mean(Track::whole(values), &PairedOptions { prior, strict: false, clip: false }).unwrap()
    }

    #[track_caller]
    fn close(actual: f64, expect: f64) {
        assert!((actual - expect).abs() < 1e-12, "{actual} is not {expect}");
    }

    #[test]
    fn a_trend_is_no_noise() {
        let flat = wiggle(60);
        let rising: Vec<f64> = flat.iter().enumerate().map(|(t, value)| value + 0.1 * count(t)).collect();
        let [flat, rising] = [flat, rising].map(|values| read(&values).unwrap());
        assert!((flat.se - rising.se).abs() < 1e-9, "{} {}", flat.se, rising.se);
    }

    #[test]
    fn one_spike_is_clipped_and_counted() {
        let mut values = wiggle(60);
        let quiet = read(&values).unwrap();
        values[30] = 20.0;
        let spiked = read(&values).unwrap();
        assert_eq!((quiet.clipped, spiked.clipped), ((0, 0), (1, 0)));
        assert!(spiked.mean < 0.1 && spiked.se < 1.2 * quiet.se, "{spiked:?}");
    }

    #[test]
    fn constant_cohorts_differ_surely_but_not_infinitely() {
        let same = read(&[0.0; 20]).unwrap();
        assert!(same.z_above(0.05) < -3.0 && same.z_above(0.0).abs() <= 0.0);
        let other = read(&[0.1; 20]).unwrap();
        assert!(other.z_above(0.05) > 3.0 && other.z_above(0.05).is_finite());
        let interval = other.interval(0.005_f64.ln());
        assert!(interval.low < 0.1 && 0.1 < interval.high && interval.high < 0.100_001);
    }

    #[test]
    fn the_interval_ends_where_the_test_does() {
        let mean = read(&wiggle(40)).unwrap();
        let interval = mean.interval(0.01_f64.ln());
        let z = crate::stats::normal_upper_inverse(0.01);
        assert!((mean.z_above(interval.low) - z).abs() < 1e-6 && (mean.z_above(interval.high) + z).abs() < 1e-6);
    }

    #[test]
    fn too_little_and_what_is_no_number_have_no_mean() {
        assert!(read(&[1.0]).is_none());
        assert!(read(&[1.0, f64::NAN, 2.0]).is_none());
        assert!(read(&[1.0, 2.0]).unwrap().z_above(0.0).is_finite());
        assert!(read(&[1e308, -1e308, 1e308]).is_none_or(|mean| !mean.z_above(0.0).is_nan()));
    }

    #[test]
    fn the_median_is_the_middle() {
        for (values, expect) in [(vec![], 0.0), (vec![3.0], 3.0), (vec![4.0, 1.0], 2.5), (vec![9.0, 1.0, 2.0], 2.0)] {
            assert!((median(&values) - expect).abs() <= 0.0);
        }
    }

    #[test]
    fn the_level_at_the_end_is_that_of_the_regression_line() {
        // By numpy and scipy: the prediction and its error at the last of 12 points.
        let values = [0.31, -0.12, 0.44, 0.52, 0.18, 0.77, 0.61, 0.95, 0.70, 1.21, 0.88, 1.30];
        let mean = independent(&values);
        close(mean.vif, 1.0);
        close(mean.mean, 0.645_833_333_333_333_3);
        close(mean.se, 0.063_545_536_108_252);
        close(mean.end().mean, 1.190_641_025_641_025_6);
        close(mean.end().se, 0.119_534_229_834_328_03);
        assert!(mean.end().interval(-3.0).low > mean.mean && mean.end().z_above(0.5) > mean.z_above(0.5));
    }

    #[test]
    fn the_end_of_a_rise_is_above_its_mean_and_a_last_spike_is_not() {
        let rising: Vec<f64> = wiggle(60).iter().enumerate().map(|(t, value)| value + 0.1 * count(t)).collect();
        let rise = read(&rising).unwrap();
        assert!((rise.end().mean - 5.9).abs() < 0.3 && (rise.mean - 2.95).abs() < 0.1, "{rise:?}");
        let mut spiked = wiggle(60);
        let flat = read(&spiked).unwrap();
        spiked[59] = 20.0;
        let spike = read(&spiked).unwrap();
        assert!((spike.end().mean - flat.end().mean).abs() < 0.2, "{flat:?} {spike:?}");
        assert_eq!(read(&wiggle(7)).unwrap().end(), read(&wiggle(7)).unwrap());
    }

    #[test]
    fn a_sluggish_series_is_read_with_the_stiff_prior() {
        let slow: Vec<f64> = (0..60).map(|t| (count(t) / 1.7).sin()).collect();
        let mean = read(&slow).unwrap();
        let raw = lag1(Track::whole(&slow), Fit::Line, Prior { autocorrelation: 0.0, points: 0.0 });
        assert!(mean.is_sluggish() && !read(&wiggle(60)).unwrap().is_sluggish());
        close(mean.autocorrelation, (60.0 * raw + 30.0 * Prior::stiff(15.0).autocorrelation) / 90.0);
        // By the minute the stiff prior is far below what was seen, and must not excuse it.
        let minutes = paired_mean(Track::whole(&slow), &PairedOptions::at(60.0)).unwrap();
        close(minutes.autocorrelation, (60.0 * raw + 20.0 * Prior::at(60.0).autocorrelation) / 80.0);
    }

    #[test]
    fn strict_believes_slow_waves_and_never_less_than_otherwise() {
        let strict = |values: &[f64]| {
            paired_mean(Track::whole(values), &PairedOptions { strict: true, ..PairedOptions::at(15.0) }).unwrap()
        };
        // Noise hides a wave of 24 points from lag 1, not from blocks of four.
        let wave: Vec<f64> = wiggle(96).iter().enumerate().map(|(t, noise)| noise + wave(t)).collect();
        let plain = read(&wave).unwrap();
        assert!(strict(&wave).vif > 1.3 * plain.vif, "{} {}", strict(&wave).vif, plain.vif);
        for n in [2, 8, 31, 32, 60, 240] {
            assert!(strict(&wiggle(n)).vif >= read(&wiggle(n)).unwrap().vif);
        }
        assert_eq!(strict(&wave[..31]), read(&wave[..31]).unwrap());
        assert!(strict(&[0.1; 40]).z_above(0.0).is_finite());
    }

    fn wave(t: usize) -> f64 {
        0.4 * (count(t) * std::f64::consts::TAU / 24.0).sin()
    }
}
