//! Bad events of two cohorts, compared exactly (EP-1, EP-2, EP-2b).
//!
//! Given the bad events of both cohorts in an interval, those of the canary are
//! binomial with a chance that only the ratio of the rates and the split of the
//! traffic decide: what the service's own rate does drops out. The likelihood
//! ratio against a margin, averaged over a grid of larger ratios, is a test
//! supermartingale (Ville): it may be looked at as often as one likes.

use crate::stats::interval::Interval;
use crate::stats::special::beta_ln;
use crate::stats::special::binomial_lower_ln;
use crate::stats::special::binomial_upper_ln;
use std::ops::RangeInclusive;

/// The ratios by which the alternatives exceed the margin; each weighs as much.
pub(crate) const GRID: [f64; 7] = [1.2, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0];

/// Above this a double does not hold every count, so it cannot be one.
const MOST_EVENTS: f64 = 9_007_199_254_740_992.0;

/// No two cohorts of one service differ by more; beyond, products would overflow.
const MARGINS: RangeInclusive<f64> = 1e-9..=1e9;

/// Log odds beyond which a rate ratio is called 0 or infinite.
const FAR_LOG_ODDS: f64 = 700.0;

/// Steps of a search by secants before it goes on by halves, and in all: 64 halves of a
/// bracket use up the doubles in it. It ends where a step moves by less than this.
const SECANTS_MAX: u32 = 40;
const STEPS_MAX: u32 = SECANTS_MAX + 64;
const PRECISION: f64 = 4.0 * f64::EPSILON;

/// EP-1: evidence that the canary's rate is more (or less) than a margin times
/// the baseline's. Seven sums; the order of the intervals does not matter.
#[derive(Clone, Debug, PartialEq)]
pub struct RatioEProcess {
    margin: f64,
    /// Each alternative, and the logarithm of it over the margin.
    alternatives: [(f64, f64); 7],
    log_likelihoods: [f64; 7],
}

impl RatioEProcess {
    /// Evidence against "at most `margin` times the baseline's rate": for FAIL.
    ///
    /// A margin outside of 1e-9 to 1e9 never gathers evidence.
    pub fn above(margin: f64) -> Self {
        Self { margin, alternatives: GRID.map(|g| (margin * g, g.ln())), log_likelihoods: [0.0; 7] }
    }

    /// The mirror: evidence against "at least `margin` times the baseline's rate".
    pub fn below(margin: f64) -> Self {
        Self { margin, alternatives: GRID.map(|g| (margin / g, -g.ln())), log_likelihoods: [0.0; 7] }
    }

    /// Takes one interval; the split of the traffic may be another each time.
    ///
    /// False, and nothing changes, where a cohort had no events or a number is no count.
    pub fn update(&mut self, bad_canary: f64, bad_baseline: f64, total_canary: f64, total_baseline: f64) -> bool {
        self.step(bad_canary, bad_baseline, total_canary, total_baseline).is_some()
    }

    /// The same, with the logarithm of the evidence that this interval has alone: positive
    /// where it speaks against the margin. `None` where nothing changes.
    pub fn step(&mut self, bad_canary: f64, bad_baseline: f64, total_canary: f64, total_baseline: f64) -> Option<f64> {
        let split = Split::of(bad_canary, bad_baseline, total_canary, total_baseline)?;
        if !MARGINS.contains(&self.margin) {
            return None;
        }
        let under_margin = split.odds_total(self.margin);
        let mut own = [0.0; 7];
        for ((alternative, gain), own) in self.alternatives.iter().zip(&mut own) {
            // ln of the two normalisers' ratio; ln_1p keeps a tiny canary's digits.
            let growth = ((alternative - self.margin) * split.canary / under_margin).ln_1p();
            *own = bad_canary * (gain - growth) - bad_baseline * growth;
        }
        for (sum, own) in self.log_likelihoods.iter_mut().zip(own) {
            *sum += own;
        }
        Some(if bad_canary + bad_baseline > 0.0 { log_mean_exp(&own) } else { 0.0 })
    }

    /// The logarithm of the evidence: FAIL at `ln(1/alpha)` or more. 0 at the start.
    pub fn log_e(&self) -> f64 {
        log_mean_exp(&self.log_likelihoods)
    }

    /// The same, as if the intervals that `part` took had not been. An interval that is louder
    /// than the others speaks for other alternatives than they do, so what it says alone must
    /// not be subtracted from the mean.
    pub fn log_e_without(&self, part: &Self) -> f64 {
        let mut rest = self.log_likelihoods;
        for (sum, taken) in rest.iter_mut().zip(part.log_likelihoods) {
            *sum -= taken;
        }
        log_mean_exp(&rest)
    }
}

/// The PASS tail of EP-1: how unlikely so few bad canary events were, had its
/// rate been `margin` times the baseline's.
#[derive(Clone, Debug, PartialEq)]
pub struct RatioTail {
    margin: f64,
    bad_canary: f64,
    bad: f64,
    expected_canary: f64,
}

impl RatioTail {
    /// No interval yet. A margin outside of 1e-9 to 1e9 takes none.
    pub fn new(margin: f64) -> Self {
        Self { margin, bad_canary: 0.0, bad: 0.0, expected_canary: 0.0 }
    }

    /// Takes one interval.
    ///
    /// False, and nothing changes, where a cohort had no events or a number is no count.
    pub fn update(&mut self, bad_canary: f64, bad_baseline: f64, total_canary: f64, total_baseline: f64) -> bool {
        let Some(split) = Split::of(bad_canary, bad_baseline, total_canary, total_baseline) else { return false };
        if !MARGINS.contains(&self.margin) {
            return false;
        }
        let share = self.margin * split.canary / split.odds_total(self.margin);
        self.bad_canary += bad_canary;
        self.bad += bad_canary + bad_baseline;
        self.expected_canary += (bad_canary + bad_baseline) * share;
        true
    }

    /// `ln P(Bin(bad, share) <= bad_canary)` with the mean share of the intervals at
    /// the margin; 0 without bad events.
    pub fn ln_p(&self) -> f64 {
        if self.bad > 0.0 { binomial_lower_ln(self.bad_canary, self.bad, self.expected_canary / self.bad) } else { 0.0 }
    }
}

/// EP-2: `ln P(X >= bad)` of the canary's own events at a rate of `floor`; a small
/// value says that its rate is above the floor.
pub fn over_floor_ln_p(bad: f64, total: f64, floor: f64) -> f64 {
    binomial_upper_ln(bad, total, floor)
}

/// EP-2b: `ln P(X <= bad)` of the canary's own events at a rate of `floor`; a small
/// value says that its rate is below the floor.
pub fn under_floor_ln_p(bad: f64, total: f64, floor: f64) -> f64 {
    binomial_lower_ln(bad, total, floor)
}

/// EP-2 for any number of looks: the logarithm of the evidence that the canary's
/// own rate is above `floor`, as a mixture over the grid members that are a rate.
///
/// 0 (no evidence) where no member is, or a number is no count. At a floor of 0
/// one bad event is proof: `+inf`.
pub fn floor_log_e(bad: f64, total: f64, floor: f64) -> f64 {
    if !(is_count(bad) && is_count(total)) || floor.is_nan() {
        return 0.0;
    }
    if floor <= 0.0 {
        return if bad > 0.0 { f64::INFINITY } else { 0.0 };
    }
    let good = (total - bad).max(0.0);
    let members: Vec<f64> = GRID
        .iter()
        .filter(|g| floor * **g < 1.0)
        .map(|g| bad * g.ln() + if good > 0.0 { good * (-floor * (g - 1.0) / (1.0 - floor)).ln_1p() } else { 0.0 })
        .collect();
    log_mean_exp(&members)
}

/// The rate of the canary over that of the baseline from pooled counts, with the
/// exact conditional bounds (Clopper, Pearson 1934), each missed with a chance of
/// at most `tail_level`.
///
/// The lower bound is 0 without bad canary events, the upper one infinite without
/// bad baseline events. `None` without events of either cohort or without any bad one.
pub fn rate_ratio_interval(
    bad_canary: f64,
    bad_baseline: f64,
    total_canary: f64,
    total_baseline: f64,
    tail_level: f64,
) -> Option<Interval> {
    let split = Split::of(bad_canary, bad_baseline, total_canary, total_baseline)?;
    if bad_canary + bad_baseline <= 0.0 {
        return None;
    }
    let per_odds = split.baseline / split.canary;
    Some(Interval {
        estimate: bad_canary / bad_baseline * per_odds,
        low: least_log_odds(bad_canary, bad_baseline, tail_level).exp() * per_odds,
        high: (-least_log_odds(bad_baseline, bad_canary, tail_level)).exp() * per_odds,
    })
}

/// `ln` of the chance that so many bad events or more are the canary's, were its rate `ratio`
/// times the baseline's: the p-value of "at most `ratio` times", the exact conditional test
/// whose bounds [`rate_ratio_interval`] has. 0 (no evidence) without bad events, or where an
/// argument is no count.
pub fn rate_ratio_ln_p(bad_canary: f64, bad_baseline: f64, total_canary: f64, total_baseline: f64, ratio: f64) -> f64 {
    let Some(split) = Split::of(bad_canary, bad_baseline, total_canary, total_baseline) else { return 0.0 };
    let share = ratio * split.canary / split.odds_total(ratio);
    binomial_upper_ln(bad_canary, bad_canary + bad_baseline, share)
}

/// The share of which `hits` of `trials` are a sample, with the exact bounds of Clopper and
/// Pearson (1934), each missed with a chance of at most `tail_level`.
///
/// `None` without trials, or where an argument is no count.
pub fn proportion(hits: f64, trials: f64, tail_level: f64) -> Option<Interval> {
    let misses = trials - hits;
    if !(hits >= 0.0 && misses >= 0.0 && trials > 0.0 && trials.is_finite()) {
        return None;
    }
    let least = |hits: f64, misses: f64| 1.0 / (1.0 + (-least_log_odds(hits, misses, tail_level)).exp());
    Some(Interval { estimate: hits / trials, low: least(hits, misses), high: 1.0 - least(misses, hits) })
}

/// The log odds at which `hits` or more of `hits + misses` have a chance of `level`.
fn least_log_odds(hits: f64, misses: f64, level: f64) -> f64 {
    if hits <= 0.0 || level.is_nan() || level <= 0.0 {
        return f64::NEG_INFINITY;
    }
    let ln_level = level.ln();
    let over = |log_odds: f64| {
        let (chance, rest) = (1.0 / (1.0 + (-log_odds).exp()), 1.0 / (1.0 + log_odds.exp()));
        beta_ln(hits, misses + 1.0, chance, rest) - ln_level
    };
    // Of a quotient that is too small for a double there would be no way up.
    let centre = hits.ln() - misses.ln_1p();
    let mut width = (1.0 / hits.sqrt().min((misses + 1.0).sqrt())).min(FAR_LOG_ODDS);
    let (mut low, mut high) = (centre - width, centre + width);
    while over(low) >= 0.0 {
        if low < -FAR_LOG_ODDS {
            return f64::NEG_INFINITY;
        }
        width *= 2.0;
        (low, high) = (low - width, low);
    }
    while over(high) < 0.0 {
        if high > FAR_LOG_ODDS {
            return f64::INFINITY;
        }
        width *= 2.0;
        (low, high) = (high, high + width);
    }
    root(over, low, high)
}

/// Where `over`, which increases, crosses zero, between `low` and `high`. Secants by the
/// Illinois rule (an end that stands still counts half), about ten evaluations, with a halving
/// now and then, so that no shape keeps it long.
fn root(over: impl Fn(f64) -> f64, mut low: f64, mut high: f64) -> f64 {
    let (mut at_low, mut at_high) = (over(low), over(high));
    let mut side = 0;
    let mut last = f64::INFINITY;
    for step in 0..STEPS_MAX {
        let secant = low + (high - low) * (at_low / (at_low - at_high));
        let is_between = low < secant && secant < high;
        let is_secant = is_between && step < SECANTS_MAX && step % 5 != 4;
        let guess = if is_secant { secant } else { f64::midpoint(low, high) };
        if (guess - last).abs() <= PRECISION * guess.abs().max(1.0) {
            return guess;
        }
        last = guess;
        let at = over(guess);
        if at >= 0.0 {
            at_low = if side > 0 { 0.5 * at_low } else { at_low };
            (high, at_high, side) = (guess, at, 1);
        } else {
            at_high = if side < 0 { 0.5 * at_high } else { at_high };
            (low, at_low, side) = (guess, at, -1);
        }
    }
    low
}

/// The shares of the traffic of one interval that both cohorts served.
struct Split {
    canary: f64,
    baseline: f64,
}

impl Split {
    fn of(bad_canary: f64, bad_baseline: f64, total_canary: f64, total_baseline: f64) -> Option<Self> {
        let counts = [bad_canary, bad_baseline, total_canary, total_baseline];
        let total = total_canary + total_baseline;
        let split = Self { canary: total_canary / total, baseline: total_baseline / total };
        // Shares below the smallest normal double would turn ratios of them into nonsense.
        let usable = counts.into_iter().all(is_count) && split.canary.is_normal() && split.baseline.is_normal();
        usable.then_some(split)
    }

    /// `ρ n_c + n_b`, per event of both cohorts.
    fn odds_total(&self, ratio: f64) -> f64 {
        ratio * self.canary + self.baseline
    }
}

fn is_count(value: f64) -> bool {
    (0.0..=MOST_EVENTS).contains(&value)
}

/// `ln` of the mean of the exponentials; 0 of none.
pub(crate) fn log_mean_exp(logs: &[f64]) -> f64 {
    let largest = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if logs.is_empty() || largest.is_infinite() {
        return if logs.is_empty() { 0.0 } else { largest };
    }
    let (mut sum, mut members) = (0.0, 0.0);
    for log in logs {
        sum += (log - largest).exp();
        members += 1.0;
    }
    largest + f64::ln(sum / members)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_without_events_of_both_cohorts_changes_nothing() {
        let mut process = RatioEProcess::above(1.25);
        let mut tail = RatioTail::new(2.0);
        for [total_canary, total_baseline] in [[0.0, 9.0], [9.0, 0.0], [0.0, 0.0], [f64::NAN, 9.0], [-1.0, 9.0]] {
            assert!(!process.update(5.0, 1.0, total_canary, total_baseline));
            assert!(!tail.update(5.0, 1.0, total_canary, total_baseline));
        }
        assert_eq!(process, RatioEProcess::above(1.25));
        assert_eq!(tail, RatioTail::new(2.0));
    }

    #[test]
    fn a_margin_that_is_none_gathers_no_evidence() {
        for margin in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(!RatioEProcess::above(margin).update(5.0, 1.0, 100.0, 100.0));
            assert!(!RatioTail::new(margin).update(5.0, 1.0, 100.0, 100.0));
        }
    }

    #[test]
    fn a_proportion_has_the_bounds_of_clopper_and_pearson() {
        // Sums of the binomial, halved to the end.
        for (hits, trials, low, high) in
            [(5.0, 10.0, 0.187_086_028_4, 0.812_913_971_6), (27.0, 400.0, 0.044_950_801_2, 0.096_691_906_9)]
        {
            let found = proportion(hits, trials, 0.025).unwrap();
            assert!((found.low - low).abs() < 1e-7 && (found.high - high).abs() < 1e-7, "{found:?}");
        }
        let none = proportion(0.0, 10.0, 0.025).unwrap();
        assert!(none.low <= 0.0 && (none.high - (1.0 - 0.025_f64.powf(0.1))).abs() < 1e-12, "{none:?}");
        let all = proportion(10.0, 10.0, 0.025).unwrap();
        assert!(all.high >= 1.0 && (all.low - 0.025_f64.powf(0.1)).abs() < 1e-12, "{all:?}");
        for (hits, trials) in [(0.0, 0.0), (2.0, 1.0), (-1.0, 5.0), (f64::NAN, 5.0)] {
            assert_eq!(proportion(hits, trials, 0.025), None);
        }
    }

    #[test]
    fn a_root_is_found_to_the_last_digit_in_a_few_steps() {
        for (shift, power) in [(0.3, 1.0), (1.7, 3.0), (-2.1, 0.2)] {
            let steps = std::cell::Cell::new(0);
            let over = |x: f64| {
                steps.set(steps.get() + 1);
                (x.exp().powf(power) - f64::exp(shift).powf(power)) * 1e3
            };
            let found = root(over, -5.0, 5.0);
            assert!((found - shift).abs() < 1e-14, "{found} for {shift}");
            assert!(steps.get() < 30, "{} steps", steps.get());
        }
        // Where one end is infinitely far below.
        let cliff = root(|x| if x < 0.25 { f64::NEG_INFINITY } else { x }, 0.0, 1.0);
        assert!((cliff - 0.25).abs() < 1e-15, "{cliff}");
    }

    #[test]
    fn the_least_that_a_double_holds_has_bounds() {
        let tiny = f64::from_bits(1);
        for (canary, baseline) in [(1000.0, tiny), (tiny, 1000.0), (tiny, tiny), (tiny, 1e15)] {
            let interval = rate_ratio_interval(canary, baseline, 2000.0, 2e15, 0.05).unwrap();
            assert!(interval.low <= interval.high, "{interval:?} of {canary} and {baseline}");
        }
    }

    #[test]
    fn ratios_of_no_events_are_bounded_on_one_side() {
        let none = rate_ratio_interval(0.0, 8.0, 1000.0, 2000.0, 0.05).unwrap();
        assert!(none.low == 0.0 && none.estimate == 0.0 && none.high.is_finite());
        // P(Bin(8, π) = 0) = 0.05, and the odds of π are half the ratio.
        let chance = 1.0 - 0.05_f64.powf(1.0 / 8.0);
        assert!((none.high / (2.0 * chance / (1.0 - chance)) - 1.0).abs() < 1e-12, "{none:?}");
        let all = rate_ratio_interval(8.0, 0.0, 1000.0, 2000.0, 0.05).unwrap();
        assert!(all.high == f64::INFINITY && all.estimate == f64::INFINITY && all.low > 0.0);
        assert_eq!(rate_ratio_interval(0.0, 0.0, 1000.0, 2000.0, 0.05), None);
        assert_eq!(rate_ratio_interval(1.0, 0.0, 0.0, 2000.0, 0.05), None);
    }

    #[test]
    fn a_floor_that_no_alternative_fits_under_gives_no_evidence() {
        for floor in [0.84, 1.0, 7.0, f64::NAN] {
            assert!(floor_log_e(90.0, 100.0, floor).abs() < f64::EPSILON);
        }
        assert!(floor_log_e(0.0, 100.0, 0.0).abs() < f64::EPSILON);
        assert!(floor_log_e(1.0, 100.0, 0.0).is_infinite());
        // 0.5 leaves 1.2 and 1.5 of the grid.
        let expect = (0.5 * (1.2_f64.powi(3) * 0.8 + 1.5_f64.powi(3) * 0.5)).ln();
        assert!((floor_log_e(3.0, 4.0, 0.5) - expect).abs() < 1e-12);
    }
}
