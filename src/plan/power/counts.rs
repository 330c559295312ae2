//! Bad events of two cohorts: how many the watched one must have for each condition of a
//! verdict, and how likely so many are (statistics.md §4, §7).
//!
//! Every condition rises with the events of the watched cohort, so each is turned into the
//! number of events at which it holds, by the test's own code, and that number into a deviate
//! by the exact binomial tail of the rates that are planned with. What the guard believes is
//! taken from the guard itself, on intervals that scatter as independent events do.

use crate::judge::FAST_INTERVALS;
use crate::judge::FAST_SHARE;
use crate::judge::FAST_SPAN;
use crate::judge::RATIO_DISTURBANCE;
use crate::judge::fast_ratio;
use crate::plan::power::chances::Needed;
use crate::plan::power::chances::reaches;
use crate::plan::power::chances::t_of;
use crate::plan::power::typical::believed;
use crate::stats;

/// The mean of an interval's events above which one interval alone is as good as normal.
const SMALL: f64 = 30.0;

/// What an interval of two cohorts has on the mean; the watched cohort comes first.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arms {
    /// Bad events.
    pub(super) bad: [f64; 2],
    /// All events, with a margin in them where the test puts one there.
    pub(super) total: [f64; 2],
}

impl Arms {
    fn events(&self) -> f64 {
        self.bad[0] + self.bad[1]
    }

    /// The share of the bad events that are the watched cohort's.
    fn share(&self) -> f64 {
        self.bad[0] / self.events()
    }

    /// The share that it would have at a rate of `margin` times the other's.
    fn share_at(&self, margin: f64) -> f64 {
        margin * self.total[0] / (margin * self.total[0] + self.total[1])
    }

    /// The chance that an interval has events in both cohorts, so that it is compared.
    pub(super) fn compared(&self) -> f64 {
        self.total.iter().map(|total| -(-total).exp_m1()).product()
    }
}

/// EP-1 above `margin` at a risk of `alpha`: what the noise must be after `n` intervals.
pub(super) fn exact(arms: &Arms, margin: f64, alpha: f64, n: f64) -> f64 {
    proof(arms, margin, -alpha.ln(), n)
}

fn proof(arms: &Arms, margin: f64, log_e: f64, n: f64) -> f64 {
    let all = n * arms.events();
    let totals = arms.total.map(|total| n * total);
    let evidence = |own: f64, other: f64| {
        let mut evidence = stats::RatioEProcess::above(margin);
        evidence.update(own, other, totals[0], totals[1]);
        evidence.log_e()
    };
    let Some(own) = reaches(0.0, all, log_e, |own| evidence(own, all - own)) else { return f64::INFINITY };
    // All bad events together vary as well, and each speaks for what it is part of.
    let step = (1e-4 * all).max(1e-6);
    let gain = (evidence(own + step, all - own) - evidence(own, all - own)) / step;
    let loss = (evidence(own, all - own) - evidence(own, all - own + step)) / step;
    let share = arms.share();
    let drift = gain * share - loss * (1.0 - share);
    let within = (gain + loss).powi(2) * share * (1.0 - share);
    let wider = (1.0 + drift * drift / within).sqrt();
    let deviate = above(own, all, share);
    if wider.is_finite() { deviate / wider } else { deviate }
}

/// EP-2: the watched cohort's own rate above `floor`, at the bound `z`.
pub(super) fn over_floor(arms: &Arms, floor: f64, z: f64, n: f64) -> f64 {
    if floor <= 0.0 {
        return f64::NEG_INFINITY;
    }
    let (total, rate) = (n * arms.total[0], arms.bad[0] / arms.total[0]);
    let tail = |own: f64| -stats::over_floor_ln_p(own, total, floor);
    reaches(0.0, total, -stats::normal_upper_ln(z), tail).map_or(f64::INFINITY, |own| above(own, total, rate))
}

/// EP-4 in all its conditions but the run of intervals.
pub(super) fn fast(arms: &Arms, margin: f64, floor: f64, alpha: f64, n: f64) -> f64 {
    let log_e = -(FAST_SHARE * alpha).ln();
    let exact = proof(arms, fast_ratio(margin), log_e, n);
    if floor <= 0.0 {
        return exact;
    }
    let (total, rate) = (n * arms.total[0], arms.bad[0] / arms.total[0]);
    let own = reaches(0.0, total, log_e, |own| stats::floor_log_e(own, total, floor));
    exact.max(own.map_or(f64::INFINITY, |own| above(own, total, rate)))
}

/// Without a baseline: the mixture above `share` at a risk of `alpha`, which holds at all looks.
pub(super) fn over_floor_ever(arms: &Arms, share: f64, alpha: f64, n: f64) -> f64 {
    if share >= 1.0 {
        return f64::INFINITY;
    }
    let (total, rate) = (n * arms.total[0], arms.bad[0] / arms.total[0]);
    let own = reaches(0.0, total, -alpha.ln(), |own| stats::floor_log_e(own, total, share));
    own.map_or(f64::INFINITY, |own| above(own, total, rate))
}

/// The chance that one interval alone speaks for more than `share`.
pub(super) fn over_floor_once(arms: &Arms, share: f64) -> f64 {
    let (total, rate) = (arms.total[0], arms.bad[0] / arms.total[0]);
    let own = reaches(0.0, total, 0.0, |own| stats::floor_log_e(own, total, share)).filter(|_| share < 1.0);
    // At least one bad event, and a whole number of them.
    own.map_or(0.0, |own| stats::binomial_upper_ln(own.ceil().max(1.0), total, rate).exp())
}

/// The chance of a run of intervals that favour the fast way, each with a chance of
/// `favouring`, by each of 1 to `most`.
pub(super) fn run_by(favouring: f64, seconds: f64, most: u32) -> Vec<f64> {
    let long = (FAST_SPAN.as_secs_f64() / seconds).ceil() + 1.0;
    let needed = long.max(f64::from(FAST_INTERVALS));
    let lasts = favouring.powf(needed);
    let ends = 1.0 - favouring;
    let by = |n: u32| {
        let later = f64::from(n) - needed;
        if later < 0.0 { 0.0 } else { 1.0 - (1.0 - lasts) * (1.0 - ends * lasts).powf(later) }
    };
    (1..=most).map(by).collect()
}

/// The chance that one interval does not speak against the fast way.
pub(super) fn favouring(arms: &Arms, margin: f64) -> f64 {
    let odds = fast_ratio(margin);
    let alone = |own: f64, other: f64| {
        let mut evidence = stats::RatioEProcess::above(odds);
        evidence.step(own, other, arms.total[0], arms.total[1]).unwrap_or(0.0)
    };
    let all = arms.events();
    if all > SMALL {
        return reaches(0.0, all, 0.0, |own| alone(own, all - own))
            .map_or(0.0, |own| stats::normal_upper(above(own, all, arms.share())));
    }
    // Few events: every pair of counts that is at all likely.
    let most = 4.0 * SMALL;
    let mut chance = 0.0;
    let mut other = (0.0, (-arms.bad[1]).exp());
    while other.0 <= most {
        let mut own = (0.0, (-arms.bad[0]).exp());
        while own.0 <= most {
            if own.1 * other.1 > 1e-9 && alone(own.0, other.0) >= 0.0 {
                chance += own.1 * other.1;
            }
            own = (own.0 + 1.0, own.1 * arms.bad[0] / (own.0 + 1.0));
        }
        other = (other.0 + 1.0, other.1 * arms.bad[1] / (other.0 + 1.0));
    }
    // A run of intervals most of which have no bad event is none.
    chance * -(-2.0 * all).exp_m1()
}

/// The guard above `margin` at the bound `z`, or below it where `sign` is −1.
pub(super) fn guard(arms: &Arms, margin: f64, sign: f64, seconds: f64, z: f64, n: u32) -> f64 {
    let (own, other) = ((arms.bad[0], arms.total[0]), (arms.bad[1], arms.total[1]));
    let share = arms.share_at(margin);
    let weight = 1.0 / (1.0 + arms.events()).sqrt();
    let noise = weight * ((1.0 - share).powi(2) * arms.bad[0] + share * share * arms.bad[1]).sqrt();
    let score = stats::ratio_score(own, other, margin, weight);
    guarded(score, noise, sign, seconds, z, n)
}

/// EP-2b: the guard of the watched cohort alone under `floor`, or above it where `sign` is −1.
pub(super) fn floor_guard(arms: &Arms, floor: f64, sign: f64, seconds: f64, z: f64, n: u32) -> f64 {
    let weight = 1.0 / (1.0 + arms.total[0] * floor).sqrt();
    let score = stats::floor_score(arms.bad[0], arms.total[0], floor, weight);
    guarded(score, weight * arms.bad[0].sqrt(), sign, seconds, z, n)
}

fn guarded(score: stats::Score, noise: f64, sign: f64, seconds: f64, z: f64, n: u32) -> f64 {
    let Some((error, nu)) = believed(score, noise, seconds, RATIO_DISTURBANCE, n) else { return f64::INFINITY };
    let n = f64::from(n);
    (t_of(z, nu) * error - sign * n * score.excess) / (noise * n.sqrt()).max(f64::MIN_POSITIVE)
}

/// The exact tail of a PASS below `margin` at the bound `z`.
pub(super) fn within(arms: &Arms, margin: f64, z: f64, n: f64) -> f64 {
    let all = n * arms.events();
    let tail = |fewer: f64| -stats::binomial_lower_ln(all - fewer, all, arms.share_at(margin));
    let fewer = reaches(0.0, all, -stats::normal_upper_ln(z), tail);
    fewer.map_or(f64::INFINITY, |fewer| below(all - fewer, all, arms.share()))
}

/// EP-2b at the bound `z`, with its guard.
pub(super) fn under_floor(arms: &Arms, floor: f64, seconds: f64, z: f64, n: u32) -> f64 {
    let total = f64::from(n) * arms.total[0];
    let rate = arms.bad[0] / arms.total[0];
    // At the mean and upwards no guard asks; more than that is never under the floor.
    let most = total * floor;
    let tail = |fewer: f64| -stats::under_floor_ln_p(most - fewer, total, floor);
    let exact = reaches(0.0, most, -stats::normal_upper_ln(z), tail)
        .map_or(f64::INFINITY, |fewer| below(most - fewer, total, rate));
    exact.max(floor_guard(arms, floor, 1.0, seconds, z, n))
}

/// The chance that the last of `n` intervals alone are above `margin`.
pub(super) fn above_lately(arms: &Arms, margin: f64, n: u32) -> f64 {
    let (share, recent) = (arms.share_at(margin), recent(n));
    let room = recent * (arms.events() * share - arms.bad[0]);
    let noise = recent * ((1.0 - share).powi(2) * arms.bad[0] + share * share * arms.bad[1]);
    stats::normal_upper(room / noise.sqrt())
}

/// The same of the watched cohort's own rate and `floor`.
pub(super) fn above_floor_lately(arms: &Arms, floor: f64, n: u32) -> f64 {
    let recent = recent(n);
    let expected = recent * arms.bad[0];
    // More than the floor allows of a Poisson number: its tail is the binomial's of many events.
    let allowed = (recent * arms.total[0] * floor).floor() + 1.0;
    stats::binomial_upper_ln(allowed, recent * arms.total[0], expected / (recent * arms.total[0])).exp()
}

fn recent(n: u32) -> f64 {
    let recent = stats::recent_points(n as usize).min(n as usize);
    f64::from(u32::try_from(recent).unwrap_or(u32::MAX))
}

/// The deviate beyond which the watched cohort has `own` or more of `all`.
fn above(own: f64, all: f64, share: f64) -> f64 {
    stats::normal_upper_inverse_ln(stats::binomial_upper_ln(own, all, share))
}

/// The deviate beyond which it has `own` or fewer.
fn below(own: f64, all: f64, share: f64) -> f64 {
    stats::normal_upper_inverse_ln(stats::binomial_lower_ln(own, all, share))
}

/// `one` of the intervals seen by each look with its bound; nothing is found before `least`.
pub(super) fn at_each(seen: &[u32], bounds: &[f64], least: u32, one: impl Fn(u32, f64) -> f64) -> Needed {
    let at = |(n, bound): (&u32, &f64)| if *n < least || !bound.is_finite() { f64::INFINITY } else { one(*n, *bound) };
    seen.iter().zip(bounds).map(at).collect()
}
