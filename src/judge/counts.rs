//! Counts of two cohorts: what accuses the canary of more bad events than a margin allows,
//! what clears it, and the track of intervals that the guard reads.
//!
//! An accusation has two ways to a FAIL (statistics.md §4). The slow one is EP-1, exact for
//! independent events, together with the count guard, which knows that disturbances of one
//! cohort last. The fast one, EP-4, needs no look: a rate of several times the margin in at
//! least three intervals over at least a minute.

use crate::judge::looks::Bounds;
use crate::series::Timestamp;
use crate::stats;
use std::time::Duration;

/// The disturbance that a ratio's cohort is believed to have (c0 of C-1), of a log rate.
pub(crate) const DISTURBANCE: f64 = 0.5;

/// The share of a risk that the fast way may spend.
pub(crate) const FAST_SHARE: f64 = 0.2;
/// The fast way tests against at least this rate ratio, and at least so many times the margin.
const FAST_RATIO: f64 = 5.0;
const FAST_MARGINS: f64 = 4.0;
/// It takes so many intervals that favour it with none between that speaks against it, the
/// first and the last so far apart: a burst of less than a minute is no change, and of the
/// many intervals before and after it chance favours some.
pub(crate) const FAST_INTERVALS: u32 = 3;
pub(crate) const FAST_SPAN: Duration = Duration::from_mins(1);

/// A PASS needs the newest intervals not to be worse alone, as far as can be told by a chance
/// of this: what has just begun is in no mean.
const NEWEST: usize = 3;
const SURPRISE: f64 = 0.05;

/// No service counts more in an interval; beyond, the squares of a guard would overflow.
pub(crate) const COUNT_MAX: f64 = 1e15;

/// How many times what it is compared with the fast way of a check with `margin` tests against.
pub(crate) fn fast_ratio(margin: f64) -> f64 {
    FAST_RATIO.max(FAST_MARGINS * margin)
}

/// Bad events of all events.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Totals {
    pub(crate) bad: f64,
    pub(crate) total: f64,
}

impl Totals {
    pub(crate) fn add(&mut self, other: Self) {
        self.bad += other.bad;
        self.total += other.total;
    }

    pub(crate) fn ratio(self) -> f64 {
        if self.total > 0.0 { self.bad / self.total } else { 0.0 }
    }

    /// The same bad events of `factor` times as many: under it, "`factor` times the rate" is no change.
    pub(crate) fn scaled(self, factor: f64) -> Self {
        Self { total: self.total * factor, ..self }
    }
}

/// The intervals in which both cohorts had events: 16 bytes each. Doubles would hold digits
/// that no guard can see.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Track {
    points: Vec<[f32; 4]>,
}

#[cfg(test)]
crate::judge::footprint::fields!(Track: points);

/// Which cohort must not be larger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Watch {
    /// The canary.
    Canary,
    /// The baseline: a decrease of the canary is worse.
    Baseline,
}

impl Watch {
    /// A margin as an effect shows it, which is always canary over baseline.
    pub(crate) fn as_seen(self, margin: f64) -> f64 {
        match self {
            Self::Canary => margin,
            Self::Baseline => margin.recip(),
        }
    }
}

impl Track {
    #[expect(clippy::cast_possible_truncation, reason = "seven digits of a count are enough for its variance")]
    pub(crate) fn push(&mut self, canary: Totals, baseline: Totals) {
        self.points
            .push([canary.bad, baseline.bad, canary.total, baseline.total].map(|count| count.min(COUNT_MAX) as f32));
    }

    pub(crate) fn len(&self) -> usize {
        self.points.len()
    }

    /// The watched cohort of each interval, with the other.
    pub(crate) fn pairs(&self, watch: Watch) -> impl DoubleEndedIterator<Item = (Totals, Totals)> + '_ {
        self.points.iter().map(move |point| {
            let [canary_bad, baseline_bad, canary_total, baseline_total] = point.map(f64::from);
            let canary = Totals { bad: canary_bad, total: canary_total };
            let baseline = Totals { bad: baseline_bad, total: baseline_total };
            match watch {
                Watch::Canary => (canary, baseline),
                Watch::Baseline => (baseline, canary),
            }
        })
    }

    /// C-1 … C-5 of the watched cohort against `margin` times the other's rate.
    pub(crate) fn guard(&self, watch: Watch, margin: f64, seconds: f64) -> Option<stats::CountGuard> {
        guard(self.pairs(watch), margin, seconds)
    }

    /// The same of its own events against a rate of `floor` (EP-2b).
    pub(crate) fn floor_guard(&self, watch: Watch, floor: f64, seconds: f64) -> Option<stats::CountGuard> {
        let mut weights = stats::EventWeights::default();
        let score = |(own, _): (Totals, Totals)| {
            let weight = weights.next(own.total * floor);
            stats::floor_score(own.bad, own.total, floor, weight)
        };
        let scores: Vec<stats::Score> = self.pairs(watch).map(score).collect();
        stats::count_guard(&scores, seconds, DISTURBANCE)
    }

    /// Whether the watched cohort had more than `margin` times the other's rate lately (G-7):
    /// in the recent intervals together, or surely in the newest of them.
    pub(crate) fn is_above_lately(&self, watch: Watch, margin: f64) -> bool {
        let score = |(own, other): (Totals, Totals)| {
            let score = stats::ratio_score((own.bad, own.total), (other.bad, other.total), margin, 1.0);
            [own.bad, score.exposure, score.excess]
        };
        let [_, _, excess] = sums(self.lately(watch).map(score));
        let [bad, events, beyond] = sums(self.lately(watch).take(NEWEST).map(score));
        excess > 0.0 || is_surprising(bad, events, (bad - beyond) / events)
    }

    /// Whether its own rate was above `floor` lately.
    pub(crate) fn is_above_floor_lately(&self, watch: Watch, floor: f64) -> bool {
        let own = |(own, _): (Totals, Totals)| [own.bad, own.total, own.bad - own.total * floor];
        let [_, _, excess] = sums(self.lately(watch).map(own));
        let [bad, total, _] = sums(self.lately(watch).take(NEWEST).map(own));
        excess > 0.0 || is_surprising(bad, total, floor)
    }

    fn lately(&self, watch: Watch) -> impl Iterator<Item = (Totals, Totals)> + '_ {
        self.pairs(watch).rev().take(stats::recent_points(self.len()))
    }
}

fn sums(parts: impl Iterator<Item = [f64; 3]>) -> [f64; 3] {
    parts.fold([0.0; 3], |[a, b, c], [x, y, z]| [a + x, b + y, c + z])
}

/// Whether `hits` of `of` are more than chance leaves at a rate of `share`.
pub(crate) fn is_surprising(hits: f64, of: f64, share: f64) -> bool {
    hits > 0.0 && stats::binomial_upper_ln(hits, of, share) <= SURPRISE.ln()
}

/// The guard of `pairs`, of which the first must not be above `margin` times the second's rate.
pub(crate) fn guard(
    pairs: impl Iterator<Item = (Totals, Totals)>,
    margin: f64,
    seconds: f64,
) -> Option<stats::CountGuard> {
    let mut weights = stats::EventWeights::default();
    let score = |(own, other): (Totals, Totals)| {
        let weight = weights.next(own.bad + other.bad);
        stats::ratio_score((own.bad, own.total), (other.bad, other.total), margin, weight)
    };
    let scores: Vec<stats::Score> = pairs.map(score).collect();
    stats::count_guard(&scores, seconds, DISTURBANCE)
}

/// EP-1, with the interval that says the most kept apart: one alone is a burst, however bad,
/// and the guard cannot tell how a single interval scatters.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Evidence {
    margin: f64,
    all: stats::RatioEProcess,
    loudest: stats::RatioEProcess,
}

impl Evidence {
    /// None yet that the rate of one is above `margin` times another's.
    pub(crate) fn above(margin: f64) -> Self {
        let none = stats::RatioEProcess::above(margin);
        Self { margin, all: none.clone(), loudest: none }
    }

    /// Takes one interval.
    pub(crate) fn take(&mut self, own: Totals, other: Totals) {
        let said = self.all.step(own.bad, other.bad, own.total, other.total);
        if said.is_some_and(|said| said > self.loudest.log_e()) {
            self.loudest = stats::RatioEProcess::above(self.margin);
            self.loudest.update(own.bad, other.bad, own.total, other.total);
        }
    }

    /// Its logarithm.
    pub(crate) fn log_e(&self) -> f64 {
        self.all.log_e()
    }

    /// Whether the other intervals accuse without the loudest.
    pub(crate) fn is_shared(&self) -> bool {
        self.all.log_e_without(&self.loudest) > 0.0
    }
}

/// What speaks for a rate above a margin. The cohort that is watched comes first.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Accusation {
    slow: Evidence,
    fast: stats::RatioEProcess,
    favour: Favour,
}

/// The last intervals, as far as each of them favoured the fast way.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Favour(Option<Run>);

impl Favour {
    /// Takes an interval, which ended at `at`: what it says alone and what all say together.
    pub(crate) fn note(&mut self, alone: f64, all: f64, at: Timestamp) {
        // While all in all nothing speaks for it, what favours it is chance; an interval
        // without a bad event says nothing either way, but most of them must say something, or
        // one more error long after a burst would make it last.
        if alone < 0.0 || all <= 0.0 {
            self.0 = None;
        } else if alone > 0.0 {
            let before = self.0.unwrap_or(Run { intervals: 0, silent: 0, first: at, last: at });
            self.0 = Some(Run { intervals: before.intervals.saturating_add(1), last: at, ..before });
        } else if let Some(run) = self.0 {
            let silent = run.silent.saturating_add(1);
            self.0 = (silent < run.intervals).then_some(Run { silent, ..run });
        }
    }

    /// Whether there are enough of them, over long enough.
    pub(crate) fn lasts(&self) -> bool {
        let lasts = |run: &Run| run.intervals >= FAST_INTERVALS && run.last.since(run.first) >= FAST_SPAN;
        self.0.as_ref().is_some_and(lasts)
    }
}

/// What the fast way may spend of a risk `alpha`.
pub(crate) fn fast_share(alpha: f64) -> f64 {
    FAST_SHARE * alpha
}

/// How far evidence is, as a deviate on its way to `bounds`: it grows with the time, and a
/// deviate with its root.
pub(crate) fn deviate(log_e: f64, alpha: f64, bounds: &Bounds) -> f64 {
    let share = log_e / -alpha.ln();
    if share > 0.0 { bounds.last().copied().unwrap_or(f64::INFINITY) * share.sqrt() } else { share }
}

/// Intervals in a row, with the ends of the first and the last of them.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Run {
    intervals: u32,
    /// Those between them that had no bad event.
    silent: u32,
    first: Timestamp,
    last: Timestamp,
}

impl Accusation {
    pub(crate) fn new(margin: f64) -> Self {
        Self {
            slow: Evidence::above(margin),
            fast: stats::RatioEProcess::above(fast_ratio(margin)),
            favour: Favour::default(),
        }
    }

    /// Takes one interval, which ended at `at`.
    pub(crate) fn take(&mut self, own: Totals, other: Totals, at: Timestamp) {
        self.slow.take(own, other);
        let alone = self.fast.step(own.bad, other.bad, own.total, other.total);
        if let Some(alone) = alone {
            self.favour.note(alone, self.fast.log_e(), at);
        }
    }

    /// The logarithm of the evidence of the slow way.
    pub(crate) fn log_e(&self) -> f64 {
        self.slow.log_e()
    }

    /// EP-1: whether the slow way is complete at a risk of `alpha`, and not by one interval alone.
    pub(crate) fn is_proven(&self, alpha: f64) -> bool {
        self.log_e() >= -alpha.ln() && self.slow.is_shared()
    }

    /// How far the slow way is on its way to `bounds`.
    pub(crate) fn deviate(&self, alpha: f64, bounds: &Bounds) -> f64 {
        deviate(self.log_e(), alpha, bounds)
    }

    /// EP-4: whether the last interval completed the fast way, at its share of the risk
    /// `alpha`; `own` is the watched cohort so far.
    pub(crate) fn is_fast(&self, own: Totals, floor: f64, alpha: f64) -> bool {
        if !self.favour.lasts() {
            return false;
        }
        let needed = -fast_share(alpha).ln();
        let above_floor = floor <= 0.0 || stats::floor_log_e(own.bad, own.total, floor) >= needed;
        above_floor && self.fast.log_e() >= needed
    }

    /// What the fast way leaves of a risk `alpha` to the slow one.
    pub(crate) fn slow_share(alpha: f64) -> f64 {
        (1.0 - FAST_SHARE) * alpha
    }
}
