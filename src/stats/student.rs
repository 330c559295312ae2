//! Student's t for any real number of degrees of freedom, as logarithms of tails, and
//! the normal deviate of the same tail (G-6): what is estimated with few degrees of
//! freedom is compared with the same boundary as what is not.
//!
//! The tail is half an incomplete beta function (Abramowitz, Stegun 26.7.1), whose
//! second argument is given apart, so that small and large `t` keep their digits.
//! Quantiles of widely used libraries are wrong from a million degrees of freedom on.

use crate::stats::normal::normal_upper_inverse_ln;
use crate::stats::special::beta_ln;
use statrs::function::gamma::ln_gamma;
use std::f64::consts::LN_2;
use std::f64::consts::PI;

/// Where `t / √nu` is so far out that the tail is a power of it to all digits.
const FAR: f64 = 1e100;

/// Steps of a quantile: it takes three to six, and 200 halvings find every bit of a double.
const STEPS_MAX: u32 = 200;

/// `ln P(T >= t)` for Student's t with `nu > 0` degrees of freedom; `NaN` where an
/// argument is not a number or `nu` is not positive.
pub fn student_upper_ln(t: f64, nu: f64) -> f64 {
    if t.is_nan() || nu.is_nan() || nu <= 0.0 {
        return f64::NAN;
    }
    if t < 0.0 {
        return (-upper_ln(-t, nu).exp()).ln_1p();
    }
    upper_ln(t, nu)
}

fn upper_ln(t: f64, nu: f64) -> f64 {
    // Far out the tail is a power of t; t² would be no double.
    let far = FAR * nu.sqrt();
    if t > far {
        return upper_ln(far, nu) - nu * (t.ln() - far.ln());
    }
    let square = (t / nu.sqrt()).powi(2);
    beta_ln(0.5 * nu, 0.5, 1.0 / (1.0 + square), square / (1.0 + square)) - LN_2
}

/// G-6: the normal deviate whose upper tail is that of `t` with `nu` degrees of freedom.
pub fn student_to_normal(t: f64, nu: f64) -> f64 {
    let z = normal_upper_inverse_ln(student_upper_ln(t.abs(), nu));
    if t < 0.0 { -z } else { z }
}

/// The `t` with `ln P(T >= t) = ln_p`; `NaN` where `ln_p` is above 0 or `nu` is not
/// positive, +∞ where no double is that far out.
pub fn student_upper_inverse_ln(ln_p: f64, nu: f64) -> f64 {
    if ln_p.is_nan() || ln_p > 0.0 || nu.is_nan() || nu <= 0.0 {
        return f64::NAN;
    }
    if ln_p > -LN_2 {
        return -student_upper_inverse_ln((-ln_p.exp_m1()).ln(), nu);
    }
    // The normal deviate is never further out than t's.
    let z = normal_upper_inverse_ln(ln_p).max(0.0);
    let ln_peak = ln_gamma(0.5 * (nu + 1.0)) - ln_gamma(0.5 * nu) - 0.5 * (nu * PI).ln();
    let (mut low, mut high) = (z, f64::INFINITY);
    let mut t = expanded(z, nu);
    for _ in 0..STEPS_MAX {
        let ln_tail = upper_ln(t, nu);
        let above = ln_tail - ln_p;
        if above > 0.0 {
            low = t;
        } else {
            high = t;
        }
        if above.abs() <= f64::EPSILON * ln_p.abs().max(1.0) {
            break;
        }
        // Newton on the logarithm of the tail, whose slope is the density over the tail; far
        // out in the logarithm of t too, where a power of t is a line.
        let ln_density = ln_peak - 0.5 * (nu + 1.0) * (t / nu.sqrt()).powi(2).ln_1p();
        let step = above * (ln_tail - ln_density).exp();
        let next = if t > 1.0 { t * (step / t).exp() } else { t + step };
        let inside = next.is_finite() && low < next && next < high;
        // Where it leaves the bracket, a halving, or a doubling while there is no upper end.
        t = if inside {
            next
        } else if high.is_finite() {
            f64::midpoint(low, high)
        } else {
            2.0 * low.max(1.0)
        };
        if t.is_infinite() {
            return t;
        }
        if high.is_finite() && high - low <= f64::EPSILON * high {
            break;
        }
    }
    t
}

/// Where t lies about whose tail is that of the normal deviate `z`: Fisher's expansion in
/// 1/nu (Abramowitz, Stegun 26.7.5), a start only.
fn expanded(z: f64, nu: f64) -> f64 {
    let square = z * z;
    let first = z * (square + 1.0) / 4.0;
    let second = z * ((5.0 * square + 16.0) * square + 3.0) / 96.0;
    let guess = z + first / nu + second / (nu * nu);
    if guess.is_finite() { guess.max(z) } else { z }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::normal::normal_upper_ln;

    #[track_caller]
    fn close(actual: f64, expect: f64, bound: f64) {
        assert!((actual - expect).abs() <= bound * expect.abs().max(1.0), "{actual} is not {expect}");
    }

    #[test]
    fn one_and_two_degrees_have_closed_forms() {
        for t in [1e-9, 0.1, 1.0, 12.0, 1e6, 1e200] {
            close(student_upper_ln(t, 1.0), (f64::atan2(1.0, t) / PI).ln(), 1e-14);
            // P(T >= t) = 1 / (s (s + t)) with s = √(2 + t²), for two degrees.
            let s = f64::hypot(2.0_f64.sqrt(), t);
            close(student_upper_ln(t, 2.0), -(s.ln() + (s + t).ln()), 1e-14);
            close(student_upper_ln(-t, 1.0).exp() + student_upper_ln(t, 1.0).exp(), 1.0, 1e-15);
        }
    }

    #[test]
    fn many_degrees_are_the_normal() {
        for t in [0.0, 0.5, 3.0, 10.0] {
            close(student_upper_ln(t, 1e15), normal_upper_ln(t), 1e-11);
            close(student_to_normal(t, 1e15), t, 1e-11);
        }
    }

    #[test]
    fn quantiles_come_back() {
        for nu in [0.7, 1.0, 2.3, 8.0, 100.0, 1e6, 1e9] {
            for t in [-40.0, -3.0, -0.2, 0.0, 1e-6, 0.7, 2.0, 30.0, 1e4] {
                let ln_p = student_upper_ln(t, nu);
                if -600.0 < ln_p && ln_p < -1e-12 {
                    close(student_upper_inverse_ln(ln_p, nu), t, 1e-9);
                }
            }
        }
    }

    #[test]
    fn what_is_no_question_has_no_answer() {
        for (t, nu) in [(f64::NAN, 1.0), (1.0, f64::NAN), (1.0, 0.0), (1.0, -1.0)] {
            assert!(student_upper_ln(t, nu).is_nan() && student_to_normal(t, nu).is_nan());
        }
        assert!(student_upper_inverse_ln(0.1, 3.0).is_nan() && student_upper_inverse_ln(-1.0, 0.0).is_nan());
        assert!(student_upper_inverse_ln(f64::NEG_INFINITY, 3.0) > 1e300);
        assert!(student_to_normal(f64::INFINITY, 3.0) > 30.0);
        assert!(student_to_normal(f64::MAX, 0.7).is_finite());
    }
}
