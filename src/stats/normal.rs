//! The upper tail of the standard normal and its inverse, also as logarithms,
//! because a boundary that is spent over many looks lies where the tail itself
//! has no digits left.
//!
//! Near the middle the tail is a half less the series of Marsaglia (2004), whose
//! terms are all positive; further out it is the density times Mills' ratio by
//! its continued fraction (Abramowitz, Stegun 26.2.14); `erfc` of statrs 0.19 has
//! ten digits only at 1.6. The inverse starts from
//! a rational fit and takes Newton steps on the logarithm.

use statrs::function::erf::erfc_inv;
use std::f64::consts::LN_2;
use std::f64::consts::SQRT_2;

/// From here on the continued fraction is used; the series would lose two digits.
const FAR: f64 = 2.0;

/// Terms of the continued fraction at [`FAR`]; checked to all digits from there to 10⁴.
const MILLS_TERMS: f64 = 100.0;

/// Where the fit that the inverse starts from ends.
const FAINT_LN: f64 = -690.0;

/// ln √(2π).
pub(crate) const LN_SQRT_2PI: f64 = 0.918_938_533_204_672_8;

/// `P(Z >= z)`: 1 at −∞, 0 at +∞ and where it is below the smallest double.
pub fn normal_upper(z: f64) -> f64 {
    if z < 0.0 {
        1.0 - normal_upper(-z)
    } else if z < FAR {
        0.5 - density(z) * odd_series(z)
    } else {
        normal_upper_ln(z).exp()
    }
}

/// `ln P(Z >= z)`, with all its digits as far out as `z²` is finite.
pub fn normal_upper_ln(z: f64) -> f64 {
    if z < 0.0 {
        (-normal_upper(-z)).ln_1p()
    } else if z < FAR {
        normal_upper(z).ln()
    } else if z.is_infinite() {
        f64::NEG_INFINITY
    } else {
        mills(z).ln() - 0.5 * z * z - LN_SQRT_2PI
    }
}

/// The `z` with `P(Z >= z) = p`; +∞ at 0, −∞ at 1, `NaN` outside of `[0, 1]`.
pub fn normal_upper_inverse(p: f64) -> f64 {
    if p > 0.5 { -normal_upper_inverse_ln((1.0 - p).ln()) } else { normal_upper_inverse_ln(p.ln()) }
}

/// The `z` with `ln P(Z >= z) = ln_p`; `NaN` where `ln_p` is above 0.
pub fn normal_upper_inverse_ln(ln_p: f64) -> f64 {
    if ln_p.is_nan() || ln_p > 0.0 {
        return f64::NAN;
    }
    if ln_p.is_infinite() {
        return f64::INFINITY;
    }
    if ln_p > -LN_2 {
        return -normal_upper_inverse_ln((-ln_p.exp_m1()).ln());
    }
    // Newton doubles the digits of the start with each step.
    let (start, steps) = start(ln_p);
    let mut z = start;
    for _ in 0..steps {
        // Mills' ratio, which costs the most, gives both the tail and its slope.
        let (ln_tail, ratio) = if z < FAR {
            let tail = normal_upper(z);
            (tail.ln(), tail / density(z))
        } else {
            let ratio = mills(z);
            (ratio.ln() - 0.5 * z * z - LN_SQRT_2PI, ratio)
        };
        z += (ln_tail - ln_p) * ratio;
    }
    z
}

fn density(z: f64) -> f64 {
    (-0.5 * z * z - LN_SQRT_2PI).exp()
}

/// `z + z³/3 + z⁵/(3·5) + …`, for `z` from 0 to [`FAR`].
fn odd_series(z: f64) -> f64 {
    let (mut term, mut sum, mut odd) = (z, z, 1.0);
    while term > sum * f64::EPSILON * 0.25 {
        odd += 2.0;
        term *= z * z / odd;
        sum += term;
    }
    sum
}

/// The upper tail over the density, for `z` from [`FAR`] on.
fn mills(z: f64) -> f64 {
    let mut below = z;
    // The further out, the fewer terms it takes.
    let mut term = (MILLS_TERMS * FAR / z).ceil().max(MILLS_TERMS / 4.0);
    while term > 0.0 {
        below = z + term / below;
        term -= 1.0;
    }
    1.0 / below
}

/// A start for Newton at `ln_p <= -ln 2` and the steps it needs.
fn start(ln_p: f64) -> (f64, u32) {
    if ln_p > FAINT_LN {
        (SQRT_2 * erfc_inv(2.0 * ln_p.exp()), 1)
    } else {
        // Q(z) is about φ(z)/z.
        let rough = SQRT_2 * (-ln_p).sqrt();
        (rough - (LN_SQRT_2PI + rough.ln()) / rough, 4)
    }
}
