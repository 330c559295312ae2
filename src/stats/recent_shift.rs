//! The last points before a PASS (G-7): a canary that was well for an hour and has just got
//! worse has a fine mean, and must not pass.

use crate::stats::autocorrelation::count;
use crate::stats::paired::middle_and_reach;

/// The newest points: one of them alone may be far out, two may not.
const NEWEST: usize = 3;

/// How many of `n` points are recent: a fifth, but 5 to 12.
pub fn recent_points(n: usize) -> usize {
    (n / 5).clamp(5, 12)
}

/// G-7: true where `differences` (not clipped, worse upwards, in the order of time) must not
/// pass at `margin`: the mean of the recent ones is not below it, or two of the last three
/// are beyond it and far beyond the points before them, or more than a tenth of all points
/// were clipped on the worse side (`clipped_worse`).
///
/// True where there is no point, or one is not a number. Time `O(n)`.
pub fn recent_shift(differences: &[f64], margin: f64, clipped_worse: usize) -> bool {
    let n = differences.len();
    let recent = &differences[n - recent_points(n).min(n)..];
    let mean = recent.iter().sum::<f64>() / count(recent.len());
    let inside = mean < margin && differences.iter().all(|difference| !difference.is_nan());
    !inside || newest_jump(differences, margin) || clipped_worse.saturating_mul(10) > n
}

/// Whether two of the last three `differences` are beyond `margin` and far beyond the points
/// before them.
///
/// Time `O(n)`.
pub fn newest_jump(differences: &[f64], margin: f64) -> bool {
    let n = differences.len();
    let (earlier, newest) = differences.split_at(n - NEWEST.min(n));
    if !newest.iter().any(|newest| *newest > margin) {
        return false;
    }
    let (middle, reach) = middle_and_reach(earlier);
    newest.iter().filter(|newest| **newest > margin && **newest > middle + reach).count() >= 2
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quiet(n: usize) -> Vec<f64> {
        (0..n).map(|t| 0.01 * (count(t * 7919 % 101) / 101.0 - 0.5)).collect()
    }

    fn with_last(n: usize, last: &[f64]) -> Vec<f64> {
        [&quiet(n)[last.len()..], last].concat()
    }

    const MARGIN: f64 = 0.182;

    #[test]
    fn ten_or_two_times_in_the_last_three_points_must_not_pass() {
        for n in [8, 60, 240, 1000] {
            assert!(!recent_shift(&quiet(n), MARGIN, 0));
            for times in [10.0_f64, 2.0] {
                assert!(recent_shift(&with_last(n, &[times.ln(); 3]), MARGIN, 0), "{n} {times}");
                assert!(recent_shift(&with_last(n, &[times.ln(), times.ln()]), MARGIN, 0), "{n} {times}");
            }
        }
    }

    #[test]
    fn one_last_point_alone_may_be_far_out() {
        for n in [60, 240] {
            assert!(!recent_shift(&with_last(n, &[2.0_f64.ln()]), MARGIN, 0));
        }
    }

    #[test]
    fn noise_that_was_there_before_is_no_shift() {
        // Two of three beyond the margin, but not beyond what the points before do.
        let wild: Vec<f64> = (0..60).map(|t| if t % 2 == 0 { -0.5 } else { 0.5 }).collect();
        let mut values = wild;
        values.extend([0.5, -0.5, 0.5]);
        assert!(!recent_shift(&values, MARGIN, 0));
    }

    #[test]
    fn a_mean_on_the_margin_or_many_clipped_points_are_a_shift() {
        assert!(recent_shift(&[0.125; 60], 0.125, 0) && !recent_shift(&[0.124; 60], 0.125, 0));
        assert!(!recent_shift(&quiet(60), MARGIN, 6) && recent_shift(&quiet(60), MARGIN, 7));
    }

    #[test]
    fn recent_is_a_fifth_but_five_to_twelve() {
        for (n, expect) in [(0, 5), (8, 5), (29, 5), (30, 6), (59, 11), (60, 12), (240, 12)] {
            assert_eq!(recent_points(n), expect);
        }
    }

    #[test]
    fn not_looking_is_never_passing() {
        assert!(recent_shift(&[], MARGIN, 0));
        assert!(recent_shift(&with_last(60, &[f64::NAN]), MARGIN, 0));
        let mut hole = quiet(60);
        hole[10] = f64::NAN;
        assert!(recent_shift(&hole, MARGIN, 0) && recent_shift(&quiet(60), f64::NAN, 0));
    }
}
