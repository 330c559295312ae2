//! The regularised incomplete beta function as a logarithm, and with it the two
//! tails of the binomial, right for counts up to a thousand million and tails
//! far below the smallest double.
//!
//! `x^a y^b / B(a, b)` is taken from Loader's saddle-point form of the binomial
//! probability (C. Loader 2000, "Fast and accurate computation of binomial
//! probabilities"), which does not cancel where log-gammas would. What is left
//! is the continued fraction of `DiDonato` and Morris (1992, TOMS 708, `BFRAC`),
//! evaluated by Lentz on the side of the mean where all its terms are positive.
//! It takes about 4000 terms at the mean of a thousand million and 10 in a tail.

use crate::stats::normal::LN_SQRT_2PI;

/// `ln P(X <= x)` for `X ~ Bin(n, p)`, for real `n` and `x` by the continuous
/// extension `I_{1-p}(n - x, x + 1)`.
///
/// 0 (no evidence) where an argument is not a number, `n` is infinite or `x >= n`.
pub fn binomial_lower_ln(x: f64, n: f64, p: f64) -> f64 {
    let Some(p) = probability(x, n, p) else { return 0.0 };
    if x < 0.0 {
        f64::NEG_INFINITY
    } else if x >= n {
        0.0
    } else {
        beta_ln(n - x, x + 1.0, 1.0 - p, p)
    }
}

/// `ln P(X >= x)` for `X ~ Bin(n, p)`, for real `n` and `x` by the continuous
/// extension `I_p(x, n - x + 1)`.
///
/// 0 (no evidence) where an argument is not a number, `n` is infinite or
/// `x <= 0`; `-inf` from `x = n + 1` on.
pub fn binomial_upper_ln(x: f64, n: f64, p: f64) -> f64 {
    let Some(p) = probability(x, n, p) else { return 0.0 };
    if x <= 0.0 {
        0.0
    } else if x >= n.max(0.0) + 1.0 {
        f64::NEG_INFINITY
    } else {
        beta_ln(x, n.max(0.0) - x + 1.0, p, 1.0 - p)
    }
}

/// `ln I_x(a, b)`, the regularised incomplete beta function.
///
/// `a` and `b` are positive and `x` is held to `[0, 1]`; `NaN` where they are not.
pub fn beta_regularised_ln(a: f64, b: f64, x: f64) -> f64 {
    if !(a > 0.0 && b > 0.0 && a.is_finite() && b.is_finite()) || x.is_nan() {
        return f64::NAN;
    }
    let x = x.clamp(0.0, 1.0);
    beta_ln(a, b, x, 1.0 - x)
}

fn probability(x: f64, n: f64, p: f64) -> Option<f64> {
    (!x.is_nan() && n.is_finite() && !p.is_nan()).then_some(p.clamp(0.0, 1.0))
}

/// `ln I_x(a, b)` with `y = 1 - x` given apart, so that a tiny `y` keeps its digits.
pub(crate) fn beta_ln(a: f64, b: f64, x: f64, y: f64) -> f64 {
    if x <= 0.0 {
        return f64::NEG_INFINITY;
    }
    if y <= 0.0 {
        return 0.0;
    }
    // How far x lies below the mean a / (a + b), times a + b.
    let below = if a > b { (a + b) * y - b } else { a - (a + b) * x };
    let ln = if below >= 0.0 {
        beta_tail_ln(a, b, x, y, below)
    } else {
        (-beta_tail_ln(b, a, y, x, -below).exp().min(1.0)).ln_1p()
    };
    ln.min(0.0)
}

/// `ln I_x(a, b)` for `x` at or below the mean by `below / (a + b)`.
fn beta_tail_ln(a: f64, b: f64, x: f64, y: f64, below: f64) -> f64 {
    let prefactor = (a / (a + b) * b).ln() + binomial_ln(a, b, x, y);
    prefactor - beta_fraction(a, b, x, y, below).ln()
}

/// `ln` of `Γ(a+b+1) / (Γ(a+1) Γ(b+1)) x^a y^b`: the binomial probability of `a` of `a + b`.
fn binomial_ln(a: f64, b: f64, x: f64, y: f64) -> f64 {
    let trials = a + b;
    let stirling = stirling_error(trials) - stirling_error(a) - stirling_error(b);
    let saddle = -deviance(a, trials * x) - deviance(b, trials * y);
    stirling + saddle - LN_SQRT_2PI - 0.5 * (a / trials * b).ln()
}

/// `ln Γ(n+1)` less Stirling's `(n + 1/2) ln n - n + ln √(2π)`, for `n > 0`.
fn stirling_error(n: f64) -> f64 {
    let mut shifted = n;
    let mut error = 0.0;
    // The series has all digits from 15 on; below, step up by Γ(n+1) = n Γ(n).
    while shifted < 15.0 {
        error += (shifted + 0.5) * (1.0 / shifted).ln_1p() - 1.0;
        shifted += 1.0;
    }
    let square = shifted * shifted;
    let terms = [1.0 / 12.0, -1.0 / 360.0, 1.0 / 1260.0, -1.0 / 1680.0, 1.0 / 1188.0, -691.0 / 360_360.0];
    error + terms.iter().rev().fold(0.0, |sum, term| sum / square + term) / shifted
}

/// `x ln(x / mean) + mean - x`, without cancelling where `x` is close to `mean`.
fn deviance(x: f64, mean: f64) -> f64 {
    let distance = x - mean;
    if distance.abs() >= 0.1 * (x + mean) {
        return x * (x / mean).ln() - distance;
    }
    let v = distance / (x + mean);
    let mut sum = distance * v;
    let mut power = 2.0 * x * v;
    // v² < 0.01: ten terms are twenty digits.
    for term in 1..=10_u8 {
        power *= v * v;
        sum += power / f64::from(2 * term + 1);
    }
    sum
}

/// The denominator of the continued fraction `1 / (β0 + α1 / (β1 + α2 / …))`.
fn beta_fraction(a: f64, b: f64, x: f64, y: f64, below: f64) -> f64 {
    let first = below + 1.0;
    let step = 1.0 + 1.0 / a;
    let mut value = positive(first / step);
    let mut numerator = value;
    let mut denominator = 0.0;
    let mut grown = 1.0;
    let mut shifted = a + 1.0;
    for term in (1..=most_terms(a + b)).map(f64::from) {
        let weight = term * (b - term) * x;
        let part = a / shifted;
        let alpha = grown * (grown + b / a) * part * part * weight * x;
        grown = 1.0 + term / a;
        let beta = term + weight / shifted + grown / (step + 2.0 * term / a) * (first + term * (1.0 + y));
        shifted += 2.0;

        denominator = 1.0 / positive(beta + alpha * denominator);
        numerator = positive(beta + alpha / numerator);
        let change = numerator * denominator;
        value *= change;
        if (change - 1.0).abs() <= f64::EPSILON {
            break;
        }
    }
    value
}

/// The fraction needs the more terms the closer to the mean, but fewer than √(a+b);
/// the upper limit (15 ms) is for counts beyond those that a double holds exactly.
fn most_terms(n: f64) -> u32 {
    let most = 200.0 + n.sqrt();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 200 and a million")]
    {
        most.min(1e6) as u32
    }
}

/// Lentz: a zero in the recurrence is moved off by the least that matters.
fn positive(value: f64) -> f64 {
    if value.abs() < 1e-300 { 1e-300 } else { value }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edges_are_certain_or_impossible() {
        let impossible = f64::NEG_INFINITY;
        for (x, n, p, lower, upper) in [
            (0.0, 0.0, 0.3, 0.0, 0.0),
            (1.0, 0.0, 0.3, 0.0, impossible),
            (10.0, 10.0, 0.3, 0.0, 10.0 * 0.3_f64.ln()),
            (11.0, 10.0, 0.3, 0.0, impossible),
            (0.0, 10.0, 0.3, 10.0 * 0.7_f64.ln(), 0.0),
            (3.0, 10.0, 0.0, 0.0, impossible),
            (3.0, 10.0, 1.0, impossible, 0.0),
            (-1.0, 10.0, 0.3, impossible, 0.0),
            (f64::NAN, 10.0, 0.3, 0.0, 0.0),
            (3.0, f64::INFINITY, 0.3, 0.0, 0.0),
        ] {
            let close = |a: f64, b: f64| a.total_cmp(&b).is_eq() || (a - b).abs() < 1e-14 * b.abs();
            assert!(close(binomial_lower_ln(x, n, p), lower), "lower {x} {n} {p}: {}", binomial_lower_ln(x, n, p));
            assert!(close(binomial_upper_ln(x, n, p), upper), "upper {x} {n} {p}: {}", binomial_upper_ln(x, n, p));
        }
    }

    #[test]
    fn the_beta_function_is_a_half_at_its_middle() {
        // Where a widely used library gives 0.49 for a million and -1.1 for a hundred million.
        for a in [0.1, 1.0, 1e3, 1e5, 1e6, 1e7, 1e8, 1e9] {
            let half = beta_regularised_ln(a, a, 0.5).exp();
            assert!((half - 0.5).abs() < 1e-11, "{a}: {half}");
        }
        assert!(beta_regularised_ln(0.0, 1.0, 0.5).is_nan());
    }
}
