//! What dependence in time costs (G-3, G-4): neighbouring points of a series
//! repeat each other, so their mean varies more than that of as many
//! independent ones.
//!
//! The lag-1 autocorrelation of a short series is biased downward (Kendall 1954)
//! and noisy; it is corrected and shrunk towards a prior that decays with the
//! length of the interval. The inflation is that of the mean of an AR(1)
//! process of finite length.

/// The prior's time constant: autocorrelation 0.6 at 15 s.
pub const PRIOR_SECONDS: f64 = 29.4;

/// That of the stiff prior: 0.7 at 15 s.
const STIFF_SECONDS: f64 = 42.06;

/// The weight of the prior, in points, and of the stiff one.
const PRIOR_POINTS: f64 = 20.0;
const STIFF_POINTS: f64 = 30.0;

/// Above this the inflation of a short series means nothing any more.
const MOST: f64 = 0.95;

/// One cohort's values in the order of time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Track<'a> {
    /// The values, evenly spaced but for the gaps.
    pub values: &'a [f64],
    /// Ascending indices of the values that do not follow their predecessor by
    /// one interval, because points between them are missing.
    pub gaps: &'a [usize],
}

impl<'a> Track<'a> {
    /// A track without gaps.
    pub fn whole(values: &'a [f64]) -> Self {
        Self { values, gaps: &[] }
    }
}

/// What is taken off the values before they are compared with their neighbours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// Their mean: bias `(1 + 3r)/n`.
    Mean,
    /// Their least-squares line in the index: bias `(2 + 4r)/n`.
    Line,
}

/// What is thought of the autocorrelation before the first point.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Prior {
    /// The lag-1 autocorrelation to expect.
    pub autocorrelation: f64,
    /// How many points it weighs; at least 0.
    pub points: f64,
}

impl Prior {
    /// For points `interval_seconds` apart: 20 points of an autocorrelation that is 0.6
    /// at 15 s.
    pub fn at(interval_seconds: f64) -> Self {
        Self { autocorrelation: decayed(interval_seconds, PRIOR_SECONDS), points: PRIOR_POINTS }
    }

    /// For series that were seen to be sluggish: 30 points of one that is 0.7 at 15 s.
    pub fn stiff(interval_seconds: f64) -> Self {
        Self { autocorrelation: decayed(interval_seconds, STIFF_SECONDS), points: STIFF_POINTS }
    }

    /// The stiff prior of the interval that this one is [`Prior::at`]; nothing of it is
    /// left where this one expects no autocorrelation.
    pub(crate) fn stiffened(self) -> Self {
        let longer = self.autocorrelation.clamp(0.0, 1.0).powf(PRIOR_SECONDS / STIFF_SECONDS);
        Self { autocorrelation: longer, points: self.points * (STIFF_POINTS / PRIOR_POINTS) }
    }
}

/// What is left after `interval_seconds` of a correlation that decays by `constant`.
fn decayed(interval_seconds: f64, constant: f64) -> f64 {
    if interval_seconds > 0.0 { (-interval_seconds / constant).exp() } else { 1.0 }
}

/// G-3: the lag-1 autocorrelation of `track`, from 0 to 0.95.
///
/// A track that does not vary says nothing, and the answer is the prior.
pub fn lag1(track: Track<'_>, fit: Fit, prior: Prior) -> f64 {
    let residuals = if spread(track.values) > 0.0 { residuals(track.values, fit) } else { Vec::new() };
    lag1_of_residuals(Track { values: &residuals, gaps: track.gaps }, fit, prior)
}

/// G-3 of residuals that are there already, left by `fit`; nothing tells the prior.
pub(crate) fn lag1_of_residuals(track: Track<'_>, fit: Fit, prior: Prior) -> f64 {
    let n = count(track.values.len());
    let weight = if prior.points > 0.0 { prior.points } else { 0.0 };
    let prior = if prior.autocorrelation.is_nan() { MOST } else { prior.autocorrelation };
    let squares: f64 = track.values.iter().map(|e| e * e).sum();
    if squares.is_nan() || squares <= 0.0 || squares.is_infinite() {
        return prior.clamp(0.0, MOST);
    }
    let mut gaps = track.gaps.iter().copied().peekable();
    let mut products = 0.0;
    for (index, pair) in track.values.windows(2).enumerate() {
        while gaps.next_if(|gap| *gap < index + 1).is_some() {}
        if gaps.peek() != Some(&(index + 1)) {
            products += pair[0] * pair[1];
        }
    }
    let raw = products / squares;
    let unbiased = match fit {
        Fit::Mean => raw + (1.0 + 3.0 * raw) / n,
        Fit::Line => raw + (2.0 + 4.0 * raw) / n,
    };
    ((n * unbiased + weight * prior) / (n + weight)).clamp(0.0, MOST)
}

/// G-4: how much more the mean of `n` points varies than that of independent ones,
/// at lag-1 autocorrelation `r`; at least 1.
pub fn variance_inflation(r: f64, n: usize) -> f64 {
    let r = if r.is_nan() { MOST } else { r.clamp(0.0, MOST) };
    let n = count(n.max(1));
    let rest = 1.0 - r;
    ((1.0 + r) / rest - 2.0 * r * (1.0 - r.powf(n)) / (n * rest * rest)).max(1.0)
}

/// Points of a block, and the fewest points that are cut into blocks.
const BLOCK: usize = 4;
const BLOCKED_POINTS: usize = 32;

/// The inflation of the mean as blocks of four `residuals` show it (`strict` of section 2):
/// how much more a block's mean varies than that of independent points, times what the
/// blocks' own autocorrelation costs. 1 for fewer than 32 points, or where nothing varies.
///
/// The blocks have the points' own prior, though they lie farther apart: strict is to be
/// slow. A gap within a block is passed over.
pub(crate) fn block_inflation(residuals: Track<'_>, prior: Prior) -> f64 {
    let n = residuals.values.len();
    if n < BLOCKED_POINTS {
        return 1.0;
    }
    // The oldest points fill no block.
    let left_over = n % BLOCK;
    let size = count(BLOCK);
    let means: Vec<f64> =
        residuals.values[left_over..].chunks_exact(BLOCK).map(|block| block.iter().sum::<f64>() / size).collect();
    let blocks = count(means.len());
    let squares = |values: &[f64]| values.iter().map(|value| value * value).sum::<f64>();
    let ratio = size * (squares(&means) / (blocks - 2.0)) / (squares(residuals.values) / (count(n) - 2.0));
    if !ratio.is_finite() {
        return 1.0;
    }
    let gaps: Vec<usize> = residuals.gaps.iter().filter_map(|gap| gap.checked_sub(left_over)).collect();
    let gaps: Vec<usize> = gaps.iter().filter(|gap| gap.is_multiple_of(BLOCK)).map(|gap| gap / BLOCK).collect();
    let between = lag1_of_residuals(Track { values: &means, gaps: &gaps }, Fit::Line, prior);
    ratio * variance_inflation(between, means.len())
}

/// G-4: what `n` points are worth at an inflation of `vif`; at least 1.5.
pub fn effective_size(n: usize, vif: f64) -> f64 {
    (count(n) / vif.max(1.0)).max(1.5)
}

/// The inflation of the difference of two cohorts, in the form of MW-5: each
/// cohort's own, weighted by the population variance of its values. Multiply a
/// standard deviation by its root.
pub fn two_sample_inflation(canary: Track<'_>, baseline: Track<'_>, prior: Prior) -> f64 {
    let scale = spread(canary.values).max(spread(baseline.values));
    // Relative to the larger spread, so that no value is too large to be squared.
    let weight = |track: Track<'_>| if scale > 0.0 { population_variance(track.values, scale) } else { 0.0 };
    weighted_inflation([canary, baseline], [weight(canary), weight(baseline)], prior)
}

/// The inflations of two tracks by their weights; their mean where neither weighs anything.
pub(crate) fn weighted_inflation(tracks: [Track<'_>; 2], weights: [f64; 2], prior: Prior) -> f64 {
    let [first, second] = tracks.map(|track| variance_inflation(lag1(track, Fit::Mean, prior), track.values.len()));
    let whole = weights[0] + weights[1];
    if whole > 0.0 && whole.is_finite() {
        (weights[0] * first + weights[1] * second) / whole
    } else {
        0.5 * (first + second)
    }
}

/// The mean square about the mean, in units of `scale` squared.
pub(crate) fn population_variance(values: &[f64], scale: f64) -> f64 {
    let n = count(values.len().max(1));
    let mean = values.iter().map(|value| value / scale).sum::<f64>() / n;
    values.iter().map(|value| (value / scale - mean).powi(2)).sum::<f64>() / n
}

fn spread(values: &[f64]) -> f64 {
    let low = values.iter().copied().fold(f64::INFINITY, f64::min);
    let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if low < high { high - low } else { 0.0 }
}

/// What is left of `values` when their mean or their line is taken off.
pub(crate) fn residuals(values: &[f64], fit: Fit) -> Vec<f64> {
    let n = count(values.len().max(1));
    let mean = values.iter().sum::<f64>() / n;
    let mut residuals: Vec<f64> = values.iter().map(|value| value - mean).collect();
    if fit == Fit::Line {
        let rise = slope(values) / n;
        for (index, residual) in residuals.iter_mut().enumerate() {
            *residual -= rise * (count(index) - 0.5 * (n - 1.0));
        }
    }
    residuals
}

/// How much the least-squares line rises over as many intervals as there are values.
pub(crate) fn slope(values: &[f64]) -> f64 {
    let n = count(values.len());
    let mean = values.iter().sum::<f64>() / n.max(1.0);
    let (mut along, mut squares) = (0.0, 0.0);
    for (index, value) in values.iter().enumerate() {
        let time = count(index) - 0.5 * (n - 1.0);
        along += time * (value - mean);
        squares += time * time;
    }
    if squares > 0.0 { n * along / squares } else { 0.0 }
}

#[expect(clippy::cast_precision_loss, reason = "the length of a slice of doubles is below 2^53")]
pub(crate) fn count(n: usize) -> f64 {
    n as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(actual: f64, expect: f64) {
        assert!((actual - expect).abs() < 1e-12, "{actual} is not {expect}");
    }

    /// 20 points.
    fn prior(autocorrelation: f64) -> Prior {
        Prior { autocorrelation, points: 20.0 }
    }

    #[test]
    fn the_prior_is_six_tenths_at_15_seconds_and_the_stiff_one_seven() {
        assert!((Prior::at(15.0).autocorrelation - 0.6).abs() < 0.001);
        assert!((Prior::stiff(15.0).autocorrelation - 0.7).abs() < 0.001);
        check(Prior::at(0.0).autocorrelation, 1.0);
        check(Prior::stiff(f64::NAN).autocorrelation, 1.0);
        for seconds in [1.0, 15.0, 60.0, 3600.0] {
            check(Prior::at(seconds).stiffened().autocorrelation, Prior::stiff(seconds).autocorrelation);
            check(Prior::at(seconds).stiffened().points, 30.0);
        }
    }

    #[test]
    fn a_prior_without_weight_leaves_the_estimate_alone() {
        let values = [1.0, 2.0, 2.5, 3.0, 2.0, 2.5, 1.0, 0.0];
        let raw = lag1(Track::whole(&values), Fit::Mean, Prior { autocorrelation: 0.6, points: 0.0 });
        check(lag1(Track::whole(&values), Fit::Mean, Prior { autocorrelation: 0.6, points: f64::NAN }), raw);
        check(lag1(Track::whole(&values), Fit::Mean, prior(0.6)), (8.0 * raw + 12.0) / 28.0);
    }

    #[test]
    fn a_constant_or_empty_track_tells_the_prior() {
        check(lag1(Track::whole(&[0.1; 12]), Fit::Mean, prior(0.6)), 0.6);
        check(lag1(Track::whole(&[]), Fit::Line, prior(0.6)), 0.6);
        check(lag1(Track::whole(&[3.0]), Fit::Mean, prior(2.0)), 0.95);
    }

    #[test]
    fn pairs_across_a_gap_do_not_count() {
        let values = [1.0, 1.0, -1.0, -1.0];
        // Without the middle pair: (1 + 1) / 4 = 0.5, plus (1 + 1.5) / 4, shrunk to 0.6.
        check(lag1(Track { values: &values, gaps: &[2] }, Fit::Mean, prior(0.6)), (4.0 * 1.125 + 12.0) / 24.0);
        // With it: (1 - 1 + 1) / 4 = 0.25, plus (1 + 0.75) / 4.
        check(lag1(Track::whole(&values), Fit::Mean, prior(0.6)), (4.0 * 0.6875 + 12.0) / 24.0);
    }

    #[test]
    fn a_line_is_no_autocorrelation() {
        let wiggle = [0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0];
        let rising: Vec<f64> = wiggle.iter().enumerate().map(|(index, up)| count(index) + up).collect();
        check(lag1(Track::whole(&rising), Fit::Line, prior(0.6)), lag1(Track::whole(&wiggle), Fit::Line, prior(0.6)));
        assert!(lag1(Track::whole(&rising), Fit::Mean, prior(0.6)) > 0.6);
    }

    #[test]
    fn inflation_grows_with_the_autocorrelation_and_is_finite() {
        check(variance_inflation(0.0, 50), 1.0);
        check(variance_inflation(0.5, 1), 1.0);
        // Two points: var of the mean is (1 + r)/2.
        check(variance_inflation(0.5, 2), 1.5);
        assert!(variance_inflation(2.0, 1000).is_finite());
        check(effective_size(0, 4.0), 1.5);
        check(effective_size(60, 4.0), 15.0);
    }

    #[test]
    fn two_samples_are_weighted_by_their_variances() {
        let still = [5.0; 30];
        let moving: Vec<f64> = (0..30).map(|t| f64::from(t * t % 17)).collect();
        let own = variance_inflation(lag1(Track::whole(&moving), Fit::Mean, prior(0.6)), 30);
        check(two_sample_inflation(Track::whole(&moving), Track::whole(&still), prior(0.6)), own);
        let expected = variance_inflation(0.6, 30);
        check(two_sample_inflation(Track::whole(&still), Track::whole(&still), prior(0.6)), expected);
        let huge: Vec<f64> = moving.iter().map(|value| value * 1e300).collect();
        assert!(two_sample_inflation(Track::whole(&huge), Track::whole(&still), prior(0.6)).is_finite());
    }
}
