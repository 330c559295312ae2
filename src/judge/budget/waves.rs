//! What all waves of a period came to.
//!
//! A wave is clamped at zero once, as a whole: luck of one is no credit of another, and
//! clamping each minute would make errors of noise. Its gates look at the same errors, so of
//! what overlaps in time the largest is charged; attempts that follow on each other are
//! charged one by one. A charge leaves a rolling period as it came: evenly over its time.

use crate::judge::budget::PeriodBurn;
use crate::judge::budget::Spent;
use crate::judge::budget::attribution::share;
use crate::rules::Slo;
use crate::series::Counts;
use crate::series::Timestamp;
use crate::stats;
use crate::stats::Arm;
use crate::stats::Stratum;
use std::collections::BTreeMap;

/// The level of the one-sided bounds of the share.
const LEVEL: f64 = 0.05;

/// One attempt of one wave, as it was charged.
#[derive(Clone, Debug, PartialEq)]
pub struct Charged {
    /// The wave.
    pub wave: String,
    /// The gate.
    pub rules: String,
    /// Its attempt.
    pub attempt: u32,
    /// What it is charged with.
    pub spent: Spent,
}

/// What waves spent of one period.
#[derive(Clone, Debug, PartialEq)]
pub struct WavesSpent {
    /// Excess errors, each wave's at least 0.
    pub excess: f64,
    /// As a share of the error budget; `None` where that is not known.
    pub share: Option<f64>,
    /// Bounds of the share: waves that overlap share a baseline, and so its chance.
    pub low: Option<f64>,
    /// The upper bound.
    pub high: Option<f64>,
    /// Each wave, the latest first.
    pub waves: Vec<WaveShare>,
}

/// One wave.
#[derive(Clone, Debug, PartialEq)]
pub struct WaveShare {
    /// The gate and its attempt; of several gates of one wave at once the one that spent most.
    pub charged: Charged,
    /// The part of its excess that lies in the period, at least 0: events.
    pub excess: f64,
    /// As a share of the error budget.
    pub share: Option<f64>,
}

/// Excess errors of `charged` in the period that began at `from`, at least 0 a wave, without
/// those that the wave `but` brings since it began: what earlier attempts of it spent before
/// that is spent. A wave is charged once, whatever gates it has; one that began before the period
/// counts for the part of its time that lies in it.
pub fn spent_by(charged: &[Charged], from: Timestamp, until: Timestamp, but: Option<(&str, Timestamp)>) -> f64 {
    let is_own = |charged: &&Charged| but.is_some_and(|(wave, began)| charged.wave == wave && began < charged.spent.to);
    once_each(charged.iter().filter(|charged| !is_own(charged)), from, until).iter().map(|part| part.excess).sum()
}

/// What `charged` spent of `period`.
///
/// Shares are of the events that the objective allows to be bad, as the policy has it, also
/// where the SLO counts slices: which wave made a slice bad nobody can say.
pub fn waves_spent(slo: &Slo, period: &PeriodBurn, charged: &[Charged]) -> WavesSpent {
    let mut counted = once_each(charged, period.from, period.to);
    counted.sort_by(|one, other| {
        let (a, b) = (one.charged, other.charged);
        b.spent
            .from
            .cmp(&a.spent.from)
            .then_with(|| (&a.wave, &a.rules, a.attempt).cmp(&(&b.wave, &b.rules, b.attempt)))
    });
    let share_of = |excess: f64| share(excess, period.events?, slo.budget().as_f64());
    // The sum of nothing is −0 otherwise, and so it would be told.
    let excess = counted.iter().map(|part| part.excess).fold(0.0, |sum, excess| sum + excess);
    let reach = stats::normal_upper_inverse(LEVEL) * deviation(&counted);
    WavesSpent {
        excess,
        share: share_of(excess),
        low: share_of(excess - reach),
        high: share_of(excess + reach),
        waves: counted
            .iter()
            .map(|part| WaveShare { charged: part.charged.clone(), excess: part.excess, share: share_of(part.excess) })
            .collect(),
    }
}

/// A charge, as far as it lies in a period.
#[derive(Clone, Copy)]
struct Part<'a> {
    charged: &'a Charged,
    /// The part of its time that does, in [0, 1].
    share: f64,
    /// At least 0.
    excess: f64,
}

/// What each wave is charged with once, in the order of their names.
fn once_each<'a>(charged: impl IntoIterator<Item = &'a Charged>, from: Timestamp, until: Timestamp) -> Vec<Part<'a>> {
    let mut waves: BTreeMap<&str, Vec<Part<'_>>> = BTreeMap::new();
    for charged in charged {
        let share = within(&charged.spent, from, until);
        if share > 0.0 && charged.spent.excess.is_finite() {
            let excess = charged.spent.excess.max(0.0) * share;
            waves.entry(&charged.wave).or_default().push(Part { charged, share, excess });
        }
    }
    waves.into_values().flat_map(apart).collect()
}

/// The part of the time of `spent` that lies between `from` and `until`.
fn within(spent: &Spent, from: Timestamp, until: Timestamp) -> f64 {
    let whole = spent.to.since(spent.from).as_secs_f64();
    if whole <= 0.0 {
        return if from <= spent.from && spent.from <= until { 1.0 } else { 0.0 };
    }
    spent.to.min(until).since(spent.from.max(from)).as_secs_f64() / whole
}

/// Of the charges of one wave those that do not overlap and come to the most together: what
/// several gates saw at once was one and the same.
fn apart(mut parts: Vec<Part<'_>>) -> Vec<Part<'_>> {
    parts.sort_by_key(|part| {
        (part.charged.spent.to, part.charged.spent.from, &part.charged.rules, part.charged.attempt)
    });
    // The most that the first so many come to, and whether the last of them is in it.
    let mut most = vec![0.0_f64];
    let mut takes: Vec<Option<usize>> = Vec::new();
    for (position, part) in parts.iter().enumerate() {
        let before = parts[..position].partition_point(|other| other.charged.spent.to <= part.charged.spent.from);
        let with = most.get(before).copied().unwrap_or(0.0) + part.excess;
        let without = most.last().copied().unwrap_or(0.0);
        let is_taken = without < with || position == 0;
        takes.push(is_taken.then_some(before));
        most.push(if is_taken { with } else { without });
    }
    let mut chosen = Vec::new();
    let mut position = parts.len();
    while let Some(last) = position.checked_sub(1) {
        match (takes.get(last), parts.get(last)) {
            (Some(Some(before)), Some(part)) => {
                chosen.push(*part);
                position = *before;
            }
            _ => position = last,
        }
    }
    chosen
}

/// The standard deviation of the sum of all parts. Two waves have that part of their
/// baselines in common which they served beside at the same time.
fn deviation(parts: &[Part<'_>]) -> f64 {
    let arm = |counts: Counts, share: f64| Arm { bad: counts.bad * share, total: counts.total * share };
    let strata: Vec<Stratum> = parts
        .iter()
        .map(|part| Stratum {
            canary: arm(part.charged.spent.canary, part.share),
            baseline: arm(part.charged.spent.baseline, part.share),
        })
        .collect();
    let spans: Vec<Spent> = parts.iter().map(|part| part.charged.spent).collect();
    stats::joint_excess_deviation(&strata, |one, other| match (spans.get(one), spans.get(other)) {
        (Some(one), Some(other)) => in_common(one, other),
        _ => 0.0,
    })
}

/// The correlation of two means of one stream of events, each over its own time: the shared
/// time over the root of the product of both.
fn in_common(one: &Spent, other: &Spent) -> f64 {
    let length = |spent: &Spent| spent.to.since(spent.from).as_secs_f64();
    let shared = one.to.min(other.to).since(one.from.max(other.from)).as_secs_f64();
    let whole = (length(one) * length(other)).sqrt();
    if whole > 0.0 { shared / whole } else { 0.0 }
}
