//! Exact fractions: objectives, shares and factors as people write them.
//!
//! 99.9 % leaves 1/1000, which no binary float is: `14.4 * (1 - 0.999)` is a little more
//! than 0.0144, and a service that burns at exactly that rate would page or not by the
//! noise of a float. What is promised is kept as a fraction and compared without rounding.

use std::cmp::Ordering;

/// Longest decimal that is read, in digits: far more than anybody promises.
const DIGITS_MAX: usize = 15;

/// A fraction of two whole numbers, not negative, in lowest terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fraction {
    numerator: u128,
    denominator: u128,
}

impl Fraction {
    /// 0.
    pub const ZERO: Self = Self { numerator: 0, denominator: 1 };

    /// 1.
    pub const ONE: Self = Self { numerator: 1, denominator: 1 };

    /// `numerator` over `denominator`; `None` where that is 0.
    pub fn new(numerator: u128, denominator: u128) -> Option<Self> {
        let shared = divisor(numerator, denominator);
        (denominator != 0).then(|| Self { numerator: numerator / shared, denominator: denominator / shared })
    }

    /// Digits with a point between them or none: `99.95`.
    pub fn decimal(text: &str) -> Option<Self> {
        let (whole, part) = text.split_once('.').unwrap_or((text, ""));
        let digits = whole.len() + part.len();
        let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let whole_there = !whole.is_empty() && (text.len() == whole.len() || !part.is_empty());
        if !whole_there || !plain(whole) || !plain(part) || DIGITS_MAX < digits {
            return None;
        }
        let places = u32::try_from(part.len()).ok()?;
        Self::new(format!("{whole}{part}").parse().ok()?, 10_u128.checked_pow(places)?)
    }

    /// As [`Fraction::decimal`], of a hundred: `99.95` is 1999/2000.
    pub fn percent(text: &str) -> Option<Self> {
        Self::decimal(text)?.times(Self::new(1, 100)?)
    }

    /// The product; `None` where it has more digits than are kept.
    pub fn times(self, other: Self) -> Option<Self> {
        // Crosswise first, so that the products are as small as they can be.
        let (one, two) = (Self::new(self.numerator, other.denominator)?, Self::new(other.numerator, self.denominator)?);
        let numerator = one.numerator.checked_mul(two.numerator)?;
        Some(Self { numerator, denominator: one.denominator.checked_mul(two.denominator)? })
    }

    /// What is left of 1; `None` above it.
    pub fn complement(self) -> Option<Self> {
        Some(Self { numerator: self.denominator.checked_sub(self.numerator)?, denominator: self.denominator })
    }

    /// The nearest float.
    #[expect(clippy::cast_precision_loss, reason = "the nearest float is what is asked for")]
    pub fn as_f64(self) -> f64 {
        self.numerator as f64 / self.denominator as f64
    }

    /// Numerator and denominator, in lowest terms.
    pub fn parts(self) -> (u128, u128) {
        (self.numerator, self.denominator)
    }

    /// How `part` of `whole` compares with this, without rounding. Something of nothing is
    /// above every fraction. `None` of nothing of nothing, which has no ratio, and where one
    /// of them is no count: negative, infinite or NaN.
    pub fn compare(self, part: f64, whole: f64) -> Option<Ordering> {
        let counts = part >= 0.0 && part.is_finite() && whole >= 0.0 && whole.is_finite();
        if !counts || (part <= 0.0 && whole <= 0.0) {
            return None;
        }
        Some(Scaled::of(part, self.denominator).cmp(&Scaled::of(whole, self.numerator)))
    }
}

/// A float times a whole number, exactly: `digits` × 2^`exponent` with the highest bit of
/// `digits` set, so that the one with the larger exponent is larger. Nothing is below all.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Scaled {
    exponent: i32,
    digits: (u128, u128),
}

impl Scaled {
    const NOTHING: Self = Self { exponent: i32::MIN, digits: (0, 0) };

    /// `value`, finite and not negative, times `by`.
    fn of(value: f64, by: u128) -> Self {
        // The product has at most 53 + 128 bits.
        let (mantissa, exponent) = taken_apart(value);
        let (upper, lower) = product(u128::from(mantissa), by);
        let zeros = if upper == 0 { u128::BITS + lower.leading_zeros() } else { upper.leading_zeros() };
        let digits = match zeros {
            0 => (upper, lower),
            1..u128::BITS => (upper << zeros | lower >> (u128::BITS - zeros), lower << zeros),
            u128::BITS..BITS_OF_A_PRODUCT => (lower << (zeros - u128::BITS), 0),
            _ => return Self::NOTHING,
        };
        Self { exponent: exponent.saturating_sub_unsigned(zeros), digits }
    }
}

/// Bits of the product of two numbers of 128 bits.
const BITS_OF_A_PRODUCT: u32 = 2 * u128::BITS;

/// `value`, finite and not negative, as a whole number and the power of two that it is
/// multiplied by (IEEE 754: 52 bits of mantissa, 11 of exponent, biased by 1023).
fn taken_apart(value: f64) -> (u64, i32) {
    const MANTISSA: u64 = (1 << 52) - 1;
    let bits = value.to_bits();
    let exponent = i32::try_from(bits >> 52 & 0x7ff).unwrap_or(0);
    // The smallest numbers have no leading one that is left out.
    let leading = if exponent == 0 { 0 } else { 1 << 52 };
    (bits & MANTISSA | leading, exponent.max(1) - 1075)
}

impl PartialOrd for Fraction {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Fraction {
    fn cmp(&self, other: &Self) -> Ordering {
        product(self.numerator, other.denominator).cmp(&product(other.numerator, self.denominator))
    }
}

/// The product of two numbers, its upper and its lower half.
fn product(one: u128, other: u128) -> (u128, u128) {
    const HALF: u32 = 64;
    const LOW: u128 = u64::MAX as u128;
    let (a, b, c, d) = (one >> HALF, one & LOW, other >> HALF, other & LOW);
    let (upper, middle, more, lower) = (a * c, a * d, b * c, b * d);
    let carried = (lower >> HALF) + (middle & LOW) + (more & LOW);
    (upper + (middle >> HALF) + (more >> HALF) + (carried >> HALF), (carried << HALF) | (lower & LOW))
}

fn divisor(mut one: u128, mut other: u128) -> u128 {
    while other != 0 {
        (one, other) = (other, one % other);
    }
    one.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Most counts of whole events: floats hold each whole number up to here.
    const WHOLE_MAX: u64 = 1 << 53;

    fn fraction(numerator: u128, denominator: u128) -> Fraction {
        Fraction::new(numerator, denominator).unwrap()
    }

    #[track_caller]
    fn check(fraction: Fraction, part: f64, whole: f64, expect: Option<Ordering>) {
        assert_eq!(fraction.compare(part, whole), expect, "{part} of {whole} and {fraction:?}");
    }

    #[test]
    fn exactly_14_4_times_a_thousandth_is_not_above_it() {
        let budget = Fraction::percent("99.9").unwrap().complement().unwrap();
        let threshold = Fraction::decimal("14.4").unwrap().times(budget).unwrap();
        check(threshold, 144.0, 10_000.0, Some(Ordering::Equal));
        check(threshold, 145.0, 10_000.0, Some(Ordering::Greater));
        check(threshold, 143.999_999_999_999_97, 10_000.0, Some(Ordering::Less));
        // What floats make of it.
        let budget: f64 = 1.0 - std::hint::black_box(0.999);
        assert!(14.4 * budget > 0.0144);
    }

    #[test]
    fn nothing_of_nothing_has_no_ratio_and_something_of_nothing_is_above_all() {
        check(fraction(1, 1000), 0.0, 0.0, None);
        check(fraction(1, 1000), 1.0, 0.0, Some(Ordering::Greater));
        check(fraction(1, 1000), 0.0, 1.0, Some(Ordering::Less));
        check(Fraction::ZERO, 0.0, 1.0, Some(Ordering::Equal));
        check(Fraction::ZERO, f64::MIN_POSITIVE, f64::MAX, Some(Ordering::Greater));
        check(Fraction::ZERO, 1.0, 0.0, Some(Ordering::Greater));
    }

    #[test]
    fn what_is_no_count_has_no_ratio() {
        for odd in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.0] {
            check(Fraction::ONE, odd, 1.0, None);
            check(Fraction::ONE, 1.0, odd, None);
        }
    }

    #[test]
    fn the_largest_and_the_smallest_floats_are_decided() {
        let tiny = f64::from_bits(1);
        check(fraction(u128::MAX, 1), f64::MAX, tiny, Some(Ordering::Greater));
        check(fraction(1, u128::MAX), tiny, f64::MAX, Some(Ordering::Less));
        check(Fraction::ONE, tiny, tiny, Some(Ordering::Equal));
        check(Fraction::ONE, f64::MAX, f64::MAX, Some(Ordering::Equal));
        check(fraction(u128::MAX, u128::MAX - 1), f64::MAX, f64::MAX, Some(Ordering::Less));
        check(fraction(1, 2), tiny, 2.0 * tiny, Some(Ordering::Equal));
        check(fraction(1, 3), tiny, 3.0 * tiny, Some(Ordering::Equal));
    }

    #[test]
    fn a_float_next_to_a_fraction_is_on_its_side() {
        // The float nearest to 0.1 is a little more than a tenth.
        check(fraction(1, 10), 0.1, 1.0, Some(Ordering::Greater));
        check(fraction(1, 10), 0.1_f64.next_down(), 1.0, Some(Ordering::Less));
        check(fraction(1, 4), 0.25, 1.0, Some(Ordering::Equal));
        check(fraction(1, 4), 0.25_f64.next_up(), 1.0, Some(Ordering::Greater));
    }

    /// Whole numbers of any size, the lowest digit first: what [`Fraction::compare`] is checked against.
    fn large(value: f64, by: u128) -> Vec<u32> {
        let (mantissa, exponent) = taken_apart(value);
        let mut digits = vec![0_u32; 80];
        // 1074 bits more than the smallest exponent needs.
        let shift = usize::try_from(exponent + 1074).unwrap();
        for bit in (0..53).filter(|bit| mantissa >> bit & 1 == 1) {
            let mut carried = 0_u64;
            for (place, digit) in digits.iter_mut().enumerate() {
                // `by` shifted up by so many bits, 32 of them from here on.
                let from = i64::try_from(place * 32).unwrap() - i64::try_from(shift + bit).unwrap();
                let part = match from {
                    0..128 => by >> from,
                    -31..0 => by << -from,
                    _ => 0,
                };
                let sum = u64::from(*digit) + (u64::try_from(part & 0xffff_ffff).unwrap()) + carried;
                (*digit, carried) = (u32::try_from(sum & 0xffff_ffff).unwrap(), sum >> 32);
            }
        }
        digits.reverse();
        digits
    }

    fn any_count() -> impl Strategy<Value = f64> {
        prop_oneof![
            (0..WHOLE_MAX).prop_map(whole),
            (0_u64..0x7ff0_0000_0000_0000).prop_map(f64::from_bits),
            0.0..1e6_f64,
        ]
    }

    #[expect(clippy::cast_precision_loss, reason = "it is below 2^53")]
    fn whole(count: u64) -> f64 {
        count as f64
    }

    proptest! {
        #[test]
        fn whole_counts_compare_as_whole_numbers(part in 0..WHOLE_MAX, total in 1..WHOLE_MAX, n: u64, d in 1_u64..) {
            let expect = (u128::from(part) * u128::from(d)).cmp(&(u128::from(total) * u128::from(n)));
            // A product of 53 and 64 bits fits 128.
            prop_assert_eq!(fraction(n.into(), d.into()).compare(whole(part), whole(total)), Some(expect));
        }

        #[test]
        fn a_ratio_of_whole_counts_equals_itself(part in 0..WHOLE_MAX, total in 1..WHOLE_MAX) {
            let same = fraction(part.into(), total.into());
            prop_assert_eq!(same.compare(whole(part), whole(total)), Some(Ordering::Equal));
            prop_assert_eq!(same.compare(whole(part) + 1.0, whole(total)), Some(Ordering::Greater));
        }

        #[test]
        fn any_counts_compare_as_large_whole_numbers(part in any_count(), total in any_count(), n: u128, d in 1_u128..) {
            prop_assume!(part > 0.0 || total > 0.0);
            let one = fraction(n, d);
            let expect = large(part, one.denominator).cmp(&large(total, one.numerator));
            prop_assert_eq!(one.compare(part, total), Some(expect));
        }
    }
}
