//! The ratio of two cohorts' rates with bounds that hold at all looks at once: what is shown
//! beside a verdict that may be read at any time.
//!
//! The ratios against which the two-sided mixture of EP-1 has not gathered evidence (Robbins
//! 1970: a confidence sequence). Counts are pooled over intervals with one split of the
//! traffic; given the bad events of both cohorts, the canary's are binomial.

use crate::stats::counts::GRID;
use crate::stats::counts::log_mean_exp;
use crate::stats::interval::Interval;

/// Log odds beyond which a rate ratio is called 0 or infinite.
const FAR_LOG_ODDS: f64 = 700.0;
/// Steps of a search from its bracket; it takes about ten.
const STEPS_MAX: u32 = 100;
/// Relative precision of a bound: nobody reads more than four digits.
const PRECISION: f64 = 1e-10;

/// The rate of the canary over that of the baseline with the bounds of the confidence
/// sequence that misses it, at any look, with a chance of `exp(−ln_inverse_level)`.
///
/// `odds` is the canary's traffic over the baseline's. A bound is open (0 or infinite) where
/// so few events say nothing on that side, and never nearer to the estimate than √1.2, since
/// the nearest alternative is 1.2 times as much. `None` without bad events, or where an argument is
/// no count, no odds or no level. About 10 µs.
pub fn ratio_confidence(bad_canary: f64, bad_baseline: f64, odds: f64, ln_inverse_level: f64) -> Option<Interval> {
    let countable = [bad_canary, bad_baseline].iter().all(|bad| *bad >= 0.0 && bad.is_finite());
    let usable = countable && bad_canary + bad_baseline > 0.0 && odds.is_normal() && odds > 0.0;
    let leveled = ln_inverse_level > 0.0 && ln_inverse_level.is_finite();
    if !(usable && leveled) {
        return None;
    }
    let alternatives = alternatives();
    let canary = Bad { own: bad_canary, other: bad_baseline, alternatives: &alternatives };
    let baseline = Bad { own: bad_baseline, other: bad_canary, alternatives: &alternatives };
    Some(Interval {
        estimate: bad_canary / bad_baseline / odds,
        low: canary.least_log_odds(ln_inverse_level).exp() / odds,
        high: (-baseline.least_log_odds(ln_inverse_level)).exp() / odds,
    })
}

/// A ratio of odds and its logarithm.
type Alternative = (f64, f64);

/// The grid of EP-1 upwards and downwards.
fn alternatives() -> [Alternative; 2 * GRID.len()] {
    let mut alternatives = [(1.0, 0.0); 2 * GRID.len()];
    for (pair, g) in alternatives.chunks_exact_mut(2).zip(GRID) {
        pair.copy_from_slice(&[(g, g.ln()), (1.0 / g, -g.ln())]);
    }
    alternatives
}

/// Bad events of the cohort in question and of the other one.
struct Bad<'a> {
    own: f64,
    other: f64,
    alternatives: &'a [Alternative; 2 * GRID.len()],
}

impl Bad<'_> {
    /// The smallest log odds of an event being `own` that the evidence leaves open; −∞ where
    /// even impossible ones are.
    fn least_log_odds(&self, needed: f64) -> f64 {
        // At odds of 0 each own event is worth the alternative's whole factor.
        if self.own <= 0.0 || self.log_e(-FAR_LOG_ODDS) < needed {
            return f64::NEG_INFINITY;
        }
        let excess = |log_odds: f64| self.log_e(log_odds) - needed;
        // Nothing speaks against what is most likely; without other events that is far up.
        let mut high = (self.own / self.other.max(1e-3 * self.own.min(1.0))).ln();
        let mut width = 3.0 / self.own.min(self.other.max(1.0)).sqrt().max(1.0);
        let mut low = high - width;
        while excess(low) < 0.0 && low > -FAR_LOG_ODDS {
            width *= 2.0;
            (high, low) = (low, low - width);
        }
        let (mut at_low, mut at_high) = (excess(low), excess(high));
        let mut side = 0;
        for _ in 0..STEPS_MAX {
            // The Illinois rule: a secant step, and an end that stands still counts half.
            let guess = low + at_low * (high - low) / (at_low - at_high);
            let guess = if low < guess && guess < high { guess } else { f64::midpoint(low, high) };
            let at = excess(guess);
            if at > 0.0 {
                at_high = if side > 0 { 0.5 * at_high } else { at_high };
                (low, at_low, side) = (guess, at, 1);
            } else {
                at_low = if side < 0 { 0.5 * at_low } else { at_low };
                (high, at_high, side) = (guess, at, -1);
            }
            if high - low <= PRECISION || at.abs() <= PRECISION {
                return guess;
            }
        }
        low
    }

    /// `ln` of the mean likelihood ratio of the odds times or over each member of the grid
    /// to the odds themselves.
    fn log_e(&self, log_odds: f64) -> f64 {
        // The chances of the rarer side keep their digits.
        let (own, other) = (1.0 / (1.0 + (-log_odds).exp()), 1.0 / (1.0 + log_odds.exp()));
        let events = self.own + self.other;
        // ln(1 + (g − 1) p), from the side on which p is small.
        let log = |(g, ln_g): Alternative| {
            if own < 0.5 {
                self.own * ln_g - events * ((g - 1.0) * own).ln_1p()
            } else {
                -self.other * ln_g - events * ((1.0 / g - 1.0) * other).ln_1p()
            }
        };
        log_mean_exp(&self.alternatives.map(log))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bounds_are_where_the_mixture_reaches_the_level() {
        // By scipy's brentq on the definition, with the likelihood written out.
        for (canary, baseline, odds, level, low, high) in [
            (20.0, 10.0, 1.0, 0.05, 0.625_857_366_905_290_3, 7.641_489_060_716_483),
            (120.0, 300.0, 0.25, 0.01, 1.049_893_757_915_649_5, 2.378_866_202_610_82),
            (5.0, 60.0, 0.1, 0.005, 0.069_652_846_534_425_9, 3.506_937_151_956_096),
            (3000.0, 2000.0, 2.0, 0.005, 0.660_510_680_888_247_6, 0.852_310_062_465_691_3),
            (40.0, 4.0, 0.5, 0.001, 3.475_460_722_379_838, 563.846_838_128_752_2),
        ] {
            let interval = ratio_confidence(canary, baseline, odds, f64::ln(1.0 / level)).unwrap();
            assert!((interval.low / low - 1.0).abs() < 1e-8, "{canary} {baseline}: {interval:?}");
            assert!((interval.high / high - 1.0).abs() < 1e-8, "{canary} {baseline}: {interval:?}");
            assert!((interval.estimate - canary / baseline / odds).abs() < 1e-12);
        }
    }

    #[test]
    fn few_events_leave_an_end_open() {
        let none = ratio_confidence(0.0, 40.0, 0.5, 3.0).unwrap();
        assert!(none.low <= 0.0 && none.estimate <= 0.0 && none.high > 0.0 && none.high < 2.0, "{none:?}");
        let all = ratio_confidence(40.0, 0.0, 0.5, 3.0).unwrap();
        assert!(all.low > 1.0 && all.low.is_finite() && all.high.is_infinite() && all.estimate.is_infinite());
        // One event of the canary could have come at any small rate.
        let one = ratio_confidence(1.0, 40.0, 1.0, 3.0).unwrap();
        assert!(one.low <= 0.0 && one.high < 1.0, "{one:?}");
        let two = ratio_confidence(1.0, 1.0, 1.0, 3.0).unwrap();
        assert!(two.low <= 0.0 && two.high.is_infinite());
    }

    #[test]
    fn swapped_cohorts_mirror() {
        let forth = ratio_confidence(31.0, 12.0, 0.25, 4.0).unwrap();
        let back = ratio_confidence(12.0, 31.0, 4.0, 4.0).unwrap();
        assert!((forth.low * back.high - 1.0).abs() < 1e-9 && (forth.high * back.low - 1.0).abs() < 1e-9);
    }

    #[test]
    fn a_thousand_million_events_and_a_tiny_canary_are_bounded() {
        let many = ratio_confidence(1e9, 1e9, 1.0, 5.0).unwrap();
        // The root of 1.2: half-way to the nearest alternative.
        assert!((many.low * 1.2_f64.sqrt() - 1.0).abs() < 1e-6 && (many.high / 1.2_f64.sqrt() - 1.0).abs() < 1e-6);
        let tiny = ratio_confidence(50.0, 1e9, 1e-7, 5.0).unwrap();
        assert!(tiny.low > 0.1 && tiny.low < 0.5 && tiny.high < 2.0, "{tiny:?}");
        for level in [1e-12, 1e-3, 1.0, 700.0, 1e9] {
            for (canary, baseline) in [(0.0, 1.0), (1.0, 0.0), (0.5, 0.25), (1e15, 3.0), (3.0, 1e15)] {
                let interval = ratio_confidence(canary, baseline, 1.0, level).unwrap();
                assert!(interval.low <= interval.high, "{level} {interval:?}");
            }
        }
    }

    #[test]
    fn what_is_no_count_or_level_has_no_bounds() {
        for (canary, baseline, odds, level) in [
            (0.0, 0.0, 1.0, 3.0),
            (f64::NAN, 1.0, 1.0, 3.0),
            (1.0, -1.0, 1.0, 3.0),
            (1.0, f64::INFINITY, 1.0, 3.0),
            (1.0, 1.0, 0.0, 3.0),
            (1.0, 1.0, f64::NAN, 3.0),
            (1.0, 1.0, 1.0, 0.0),
            (1.0, 1.0, 1.0, f64::NAN),
        ] {
            assert_eq!(ratio_confidence(canary, baseline, odds, level), None);
        }
    }
}
