//! The count guard (C-1 … C-5): what a difference of counts or of ranks is worth when a
//! cohort has disturbances of its own that last.
//!
//! The model's variance is that of independent events; on top of it lies a latent
//! disturbance of one cohort, AR(1) in real time, whose size and memory are estimated
//! and shrunk to a prior. So the guard does not wait to estimate what is known, does not
//! depend on the scrape interval, and takes a burst for a burst.

use crate::stats::BucketRanks;
use crate::stats::Interval;
use crate::stats::autocorrelation::Prior;
use crate::stats::autocorrelation::count;
use crate::stats::student::student_to_normal;
use crate::stats::student::student_upper_inverse_ln;

/// Fewer intervals than this have no slope.
const SLOPE_INTERVALS: usize = 8;
/// The weight of the prior disturbance, in interval equivalents (k0 of C-2).
const PRIOR_WEIGHT: f64 = 4.0;
/// The weight of the prior autocorrelation, in intervals.
const PRIOR_INTERVALS: f64 = 20.0;
/// Above this the memory of a disturbance cannot be told from a change.
const MOST: f64 = 0.97;
/// From here on Student's t is the normal.
const NU_MAX: f64 = 1e6;

/// One interval, as the guard sees it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Score {
    /// The weighted excess of the canary over what the margin allows.
    pub excess: f64,
    /// What it is proportional to.
    pub exposure: f64,
    /// Its variance were events independent; at least 0.
    pub variance: f64,
    /// How much a disturbance of one unit moves it.
    pub leverage: f64,
}

/// The guard over some intervals.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CountGuard {
    /// The excess of all intervals together: positive where the canary is worse than the
    /// margin allows.
    pub excess: f64,
    /// What it is proportional to.
    pub exposure: f64,
    /// How much a disturbance of one unit that lasted through all intervals moves the excess.
    pub leverage: f64,
    /// The standard error of `excess`.
    pub error: f64,
    /// Variance of the disturbance.
    pub disturbance: f64,
    /// Its autocorrelation from one interval to the next, from 0 to 0.97.
    pub autocorrelation: f64,
    /// Degrees of freedom of the error.
    pub nu: f64,
    /// What the intervals are worth; at least 1.5.
    pub effective_n: f64,
}

/// The guard for `scores` of intervals `interval_seconds` long, with the prior
/// disturbance `prior` (c0: 0.5 of a log rate for ratios, 0.02 of a probability for
/// histograms). `None` for fewer than two intervals, or where nothing could have varied.
///
/// Time `O(n)`, no allocation.
pub fn count_guard(scores: &[Score], interval_seconds: f64, prior: f64) -> Option<CountGuard> {
    let n = scores.len();
    let real = count(n);
    let squares: f64 = scores.iter().map(|score| score.leverage * score.leverage).sum();
    let variance: f64 = scores.iter().map(|score| score.variance).sum();
    if n < 2 || !(squares > 0.0 && squares.is_finite() && variance.is_finite()) {
        return None;
    }
    let line = Line::through(scores);
    let disturbance = disturbance(scores, &line, squares, variance, prior);
    let autocorrelation = autocorrelation(scores, &line, disturbance, Prior::at(interval_seconds).autocorrelation);
    // C-4
    let (mut carried, mut last, mut covariance) = (0.0, 0.0, 0.0);
    for score in scores {
        carried = autocorrelation * (carried + last);
        last = score.leverage;
        covariance += score.leverage * carried;
    }
    let long_run = squares + 2.0 * covariance;
    let vif = long_run / squares;
    let effective_n = (real / vif).max(1.5);
    let corrected = disturbance / (1.0 - (vif - 1.0) / (real - 1.0)).max(0.1);
    // C-5, Satterthwaite: only the estimated part of the variance costs degrees of freedom.
    let whole = variance + corrected * long_run;
    let share = whole / (corrected * long_run);
    let nu = if share.is_finite() { ((effective_n - 1.0).max(1.0) * share * share).min(NU_MAX) } else { NU_MAX };
    let excess: f64 = scores.iter().map(|score| score.excess).sum();
    let exposure: f64 = scores.iter().map(|score| score.exposure).sum();
    let leverage: f64 = scores.iter().map(|score| score.leverage).sum();
    let error = whole.sqrt();
    let usable = excess.is_finite() && exposure.is_finite() && error.is_finite();
    usable.then_some(CountGuard { excess, exposure, leverage, error, disturbance, autocorrelation, nu, effective_n })
}

impl CountGuard {
    /// The normal deviate of all excess together: positive where the canary is worse than
    /// the margin allows.
    pub fn z(&self) -> f64 {
        self.z_shifted(0.0)
    }

    /// The same with a margin that is wider `by` so much, per exposure.
    ///
    /// Where the margin enters in proportion to the exposure (histograms: a probability) the
    /// fit takes it up and leaves the same residuals, so that this is exact and one guard
    /// serves FAIL, PASS and the interval. A ratio's margin enters in the variance as well:
    /// there another margin takes another guard.
    pub fn z_shifted(&self, by: f64) -> f64 {
        if self.error > 0.0 { student_to_normal((self.excess - by * self.exposure) / self.error, self.nu) } else { 0.0 }
    }

    /// The excess per exposure, between the shifts that leave out `exp(ln_tail)` on each
    /// side; open where nothing was exposed.
    pub fn interval(&self, ln_tail: f64) -> Interval {
        if self.exposure <= 0.0 {
            return Interval { estimate: 0.0, low: f64::NEG_INFINITY, high: f64::INFINITY };
        }
        let estimate = self.excess / self.exposure;
        let reach = student_upper_inverse_ln(ln_tail, self.nu) * self.error / self.exposure;
        let reach = if reach.is_nan() { f64::INFINITY } else { reach };
        Interval { estimate, low: estimate - reach, high: estimate + reach }
    }

    /// The guard the other way round: positive where the canary is better than
    /// the margin asks for.
    #[must_use]
    pub fn mirrored(&self) -> Self {
        Self { excess: -self.excess, ..*self }
    }
}

/// C-1: the excess as a line in time, by weighted least squares.
struct Line {
    level: f64,
    slope: f64,
    coefficients: f64,
    n: f64,
}

impl Line {
    fn through(scores: &[Score]) -> Self {
        let n = count(scores.len());
        let (mut ee, mut et, mut tt, mut es, mut ts) = (0.0, 0.0, 0.0, 0.0, 0.0);
        for (index, score) in scores.iter().enumerate() {
            let weight = if score.variance > 0.0 { 1.0 / score.variance } else { 0.0 };
            let (own, tilted) = (score.exposure, score.exposure * time(index, n));
            ee += weight * own * own;
            et += weight * own * tilted;
            tt += weight * tilted * tilted;
            es += weight * own * score.excess;
            ts += weight * tilted * score.excess;
        }
        let determinant = ee * tt - et * et;
        if scores.len() >= SLOPE_INTERVALS && determinant > 1e-12 * ee * tt {
            let (level, slope) = ((es * tt - ts * et) / determinant, (ts * ee - es * et) / determinant);
            return Self { level, slope, coefficients: 2.0, n };
        }
        let level = if ee > 0.0 { es / ee } else { 0.0 };
        Self { level, slope: 0.0, coefficients: 1.0, n }
    }

    fn residuals<'a>(&'a self, scores: &'a [Score]) -> impl Iterator<Item = f64> + 'a {
        let fitted = |index, score: &Score| score.exposure * (self.level + self.slope * time(index, self.n));
        scores.iter().enumerate().map(move |(index, score)| score.excess - fitted(index, score))
    }
}

/// C-2: the variance of the disturbance, from what the residuals vary more than the model
/// says, shrunk to the prior by how much they can tell.
fn disturbance(scores: &[Score], line: &Line, squares: f64, variance: f64, prior: f64) -> f64 {
    let prior = prior * prior;
    let left: f64 = line.residuals(scores).map(|residual| residual * residual).sum();
    let seen = (left / (1.0 - line.coefficients / line.n).max(0.2) - variance) / squares;
    let spread: f64 = scores.iter().map(|score| (score.variance + score.leverage.powi(2) * prior).powi(2)).sum();
    let told = squares * squares / (2.0 * spread);
    let assumed = PRIOR_WEIGHT / (2.0 * prior * prior);
    ((told * seen + assumed * prior) / (told + assumed)).max(0.0)
}

/// C-3: its autocorrelation, likewise.
fn autocorrelation(scores: &[Score], line: &Line, disturbance: f64, prior: f64) -> f64 {
    let leverage: f64 = scores.windows(2).map(|pair| pair[0].leverage * pair[1].leverage).sum();
    let products: f64 = line.residuals(scores).zip(line.residuals(scores).skip(1)).map(|(a, b)| a * b).sum();
    let seen =
        if disturbance > 0.0 && leverage > 0.0 { (products / leverage / disturbance).clamp(-1.0, 1.0) } else { prior };
    let unbiased = seen + (2.0 + 4.0 * seen) / line.n;
    let spread: f64 = scores.iter().map(|score| (score.variance + score.leverage.powi(2) * disturbance).powi(2)).sum();
    let told = if spread > 0.0 { (leverage * disturbance).powi(2) / spread } else { 0.0 };
    ((told * unbiased + PRIOR_INTERVALS * prior) / (told + PRIOR_INTERVALS)).clamp(0.0, MOST)
}

/// The interval's place in time, about −1/2 at the first and 1/2 at the last.
fn time(index: usize, n: f64) -> f64 {
    (count(index) + 1.0 - 0.5 * (n + 1.0)) / n
}

/// The weights of a ratio's intervals (C-1): an interval counts by the events that are
/// expected of it from those before, never by its own, which a burst would raise.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct EventWeights {
    intervals: u32,
    sum: f64,
    smoothed: f64,
}

impl EventWeights {
    /// Half of what is remembered is forgotten after four intervals.
    const KEPT: f64 = 0.840_896_415_253_714_6;

    /// The weight of the next interval, which has `events` in both cohorts; that of the
    /// first is the second's.
    pub fn next(&mut self, events: f64) -> f64 {
        let expected =
            if self.intervals == 0 { events } else { self.smoothed.max(self.sum / f64::from(self.intervals)) };
        self.smoothed =
            if self.intervals == 0 { events } else { Self::KEPT * self.smoothed + (1.0 - Self::KEPT) * events };
        self.sum += events;
        self.intervals += 1;
        1.0 / (1.0 + expected).sqrt()
    }
}

/// A ratio's interval: `canary` and `baseline` are bad events and all events, `margin`
/// the rate ratio that is still accepted, `weight` that of [`EventWeights`].
pub fn ratio_score(canary: (f64, f64), baseline: (f64, f64), margin: f64, weight: f64) -> Score {
    let events = canary.0 + baseline.0;
    let share = margin * canary.1 / (margin * canary.1 + baseline.1);
    let spread = events * share * (1.0 - share);
    Score {
        excess: weight * (canary.0 - events * share),
        exposure: weight * events,
        variance: weight * weight * spread,
        leverage: weight * spread,
    }
}

/// An interval of the canary alone against a rate of `floor` (EP-2b): positive where it has
/// fewer of `total` events bad than that; `weight` is that of [`EventWeights`] on
/// `total · floor`.
pub fn floor_score(bad: f64, total: f64, floor: f64, weight: f64) -> Score {
    let expected = total * floor;
    Score {
        excess: weight * (expected - bad),
        exposure: weight * expected,
        variance: weight * weight * expected * (1.0 - floor).max(0.0),
        leverage: weight * expected,
    }
}

/// A histogram's interval (H-2): `margin` is the accepted probability above one half.
pub fn rank_score(ranks: &BucketRanks, margin: f64) -> Score {
    let weight = 1.0 / (ranks.canary + ranks.baseline + 1.0);
    let pairs = ranks.canary * ranks.baseline;
    Score {
        excess: weight * (ranks.excess - margin * pairs),
        exposure: weight * pairs,
        variance: weight * weight * ranks.variance,
        leverage: weight * pairs,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quiet(n: usize) -> Vec<Score> {
        (0..n).map(|t| ratio_score((10.0 + count(t % 3), 1e4), (11.0, 1e4), 1.25, 0.2)).collect()
    }

    #[test]
    fn nothing_seen_is_no_guard() {
        assert!(count_guard(&[], 15.0, 0.5).is_none());
        let empty = ratio_score((0.0, 100.0), (0.0, 100.0), 1.25, 1.0);
        assert!(count_guard(&[empty; 10], 15.0, 0.5).is_none());
        let hostile = Score { excess: f64::NAN, ..quiet(1)[0] };
        assert!(count_guard(&[hostile; 10], 15.0, 0.5).is_none());
    }

    #[test]
    fn one_burst_is_worth_less_than_a_lasting_change() {
        // The same excess in one interval of twenty, and spread over all.
        let mut burst = quiet(20);
        burst[10] = ratio_score((210.0, 1e4), (11.0, 1e4), 1.25, 0.2);
        let lasting: Vec<Score> = (0..20).map(|_| ratio_score((20.0, 1e4), (11.0, 1e4), 1.25, 0.2)).collect();
        let [burst, lasting] = [burst, lasting].map(|scores| count_guard(&scores, 15.0, 0.5).unwrap());
        assert!(burst.z() < 2.0 && lasting.z() > burst.z(), "{burst:?} {lasting:?}");
        assert!(burst.disturbance > lasting.disturbance);
    }

    #[test]
    fn a_weight_does_not_know_its_own_interval() {
        let mut weights = EventWeights::default();
        let first = weights.next(9.0);
        let mut other = weights;
        assert!((weights.next(1000.0) - other.next(0.0)).abs() <= 0.0);
        assert!((first - 1.0 / 10.0_f64.sqrt()).abs() < 1e-15);
    }

    fn ranks(margin: f64) -> Vec<Score> {
        let interval = |t: usize| {
            let (slow, fast) = (20.0 + count(t * 7 % 5), 30.0 - count(t * 3 % 7));
            rank_score(&crate::stats::bucket_ranks(&[fast, 40.0, slow], &[35.0, 40.0, 25.0]).unwrap(), margin)
        };
        (0..24).map(interval).collect()
    }

    #[test]
    fn one_histogram_guard_serves_every_margin() {
        let guard = count_guard(&ranks(0.02), 15.0, 0.02).unwrap();
        for margin in [0.0, 0.02, 0.06, -0.1] {
            let own = count_guard(&ranks(margin), 15.0, 0.02).unwrap();
            assert!((guard.z_shifted(margin - 0.02) - own.z()).abs() < 1e-9, "{margin}");
        }
    }

    #[test]
    fn the_interval_ends_where_the_test_does() {
        let guard = count_guard(&ranks(0.0), 15.0, 0.02).unwrap();
        let interval = guard.interval(0.01_f64.ln());
        let z = crate::stats::normal_upper_inverse(0.01);
        assert!(interval.low < interval.estimate && interval.estimate < interval.high);
        assert!((guard.z_shifted(interval.low) - z).abs() < 1e-6);
        assert!((guard.z_shifted(interval.high) + z).abs() < 1e-6);
        let open = CountGuard { exposure: 0.0, ..guard }.interval(-3.0);
        assert!(open.low.is_infinite() && open.high.is_infinite());
    }

    #[test]
    fn a_mirrored_guard_is_that_of_mirrored_scores() {
        let mirrored: Vec<Score> = quiet(20).iter().map(|s| Score { excess: -s.excess, ..*s }).collect();
        let (forth, back) = (count_guard(&quiet(20), 15.0, 0.5).unwrap(), count_guard(&mirrored, 15.0, 0.5).unwrap());
        assert!((forth.mirrored().z() - back.z()).abs() < 1e-12 && (forth.z() + back.z()).abs() < 1e-12);
    }

    #[test]
    fn a_canary_without_errors_is_under_the_floor_and_a_bursting_one_is_not() {
        let guard = |bad: &dyn Fn(usize) -> f64| {
            let mut weights = EventWeights::default();
            let scores: Vec<Score> = (0..40).map(|t| floor_score(bad(t), 1000.0, 0.001, weights.next(1.0))).collect();
            count_guard(&scores, 15.0, 0.5).unwrap()
        };
        // 40 expected, none seen: more than three standard errors.
        assert!(guard(&|_| 0.0).z() > 3.0, "{:?}", guard(&|_| 0.0));
        // As many as the floor allows, but all in one interval.
        assert!(guard(&|t| if t == 20 { 20.0 } else { 0.0 }).z() < 1.5);
        let score = floor_score(3.0, 1000.0, 0.004, 0.5);
        assert!((score.excess - 0.5).abs() < 1e-15 && (score.exposure - 2.0).abs() < 1e-15);
        assert!((score.variance - 0.996).abs() < 1e-15 && (score.leverage - 2.0).abs() < 1e-15);
    }
}
