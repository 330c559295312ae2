//! What a wave adds to the errors of its service (slo.md §3).
//!
//! Counts are those since the wave began, with the warm-up: the budget is spent in it too,
//! and a ratio of other events than those that are charged would contradict the charge. Only
//! planned downtime is kept apart.

use crate::judge::budget::served::Served;
use crate::series::Counts;
use crate::series::Timestamp;
use crate::stats;
use crate::stats::Comparison;

/// What one wave came to so far.
#[derive(Clone, Debug, PartialEq)]
pub struct Attribution {
    /// Events of the canary since the wave began, without planned downtime.
    pub canary: Counts,
    /// Of its baseline.
    pub baseline: Counts,
    /// Whose events the baseline's are.
    pub baseline_kind: BaselineKind,
    /// Events of both cohorts during planned downtime: kept apart from all else here.
    pub planned: Counts,
    /// The canary's burn rate; `None` without events.
    pub canary_burn: Option<f64>,
    /// The baseline's.
    pub baseline_burn: Option<f64>,
    /// Their ratio; `None` of nothing by nothing, infinite by nothing alone.
    pub ratio: Option<f64>,
    /// Lower one-sided bound of the ratio at the policy's level, corrected for overdispersion.
    pub ratio_low: Option<f64>,
    /// Upper one; may be infinite.
    pub ratio_high: Option<f64>,
    /// How much more the events vary than independent ones, of the cohort where it is more:
    /// at least 1. Bounds have each cohort's own.
    pub overdispersion: f64,
    /// Slices of a minute that it was found by.
    pub slices: u32,
    /// Bad events that the canary has and would not have had as the baseline; signed.
    pub excess: Option<f64>,
    /// Newcombe's interval of it.
    pub excess_low: Option<f64>,
    /// Its upper end.
    pub excess_high: Option<f64>,
    /// Strata that were left out, because one cohort has nothing in them.
    pub dropped_strata: u32,
    /// The burn rate of the service if all of its traffic were the canary's: estimate and
    /// lower one-sided bound.
    pub projected: Option<(f64, f64)>,
    /// [`Attribution::excess`], at least 0, as a share of the error budget of the period.
    pub share: Option<f64>,
}

/// Whose events a baseline's are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BaselineKind {
    /// Instances that served at the same time.
    Concurrent,
    /// The service at the same time of an earlier day: there are none that serve now.
    Historical,
    /// Nobody's.
    None,
}

/// What a wave is charged with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spent {
    /// From when on.
    pub from: Timestamp,
    /// To when.
    pub to: Timestamp,
    /// Events of the canary.
    pub canary: Counts,
    /// Of the baseline.
    pub baseline: Counts,
    /// During planned downtime, of both.
    pub planned: Counts,
    /// Excess errors; signed. 0 where there is no baseline to tell them by.
    pub excess: f64,
}

/// What a share of events and a number of them is measured by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale {
    /// The error budget, as a share of events.
    pub(super) budget: f64,
    /// All events of the period; `None` where nobody knows.
    pub(super) events: Option<f64>,
    /// The level of one-sided bounds.
    pub(super) level: f64,
}

/// What `served` comes to, and the comparison that it rests on; `None` of that where the
/// cohorts share no events. Bounds cost some hundred evaluations of a beta function, so this
/// is for a look and not for an interval.
pub(super) fn attribute(served: &Served, scale: Scale) -> (Attribution, Option<Comparison>) {
    let kind = served.baseline_kind();
    let (canary, baseline) = (served.canary(), served.baseline());
    let (strata, by_name) = served.strata();
    let compared = Comparison::of(&strata);
    let overdispersion = served.overdispersion();
    let [own, other] = overdispersion;
    let (ratio_low, ratio_high) = stats::ratio_bounds(&strata, overdispersion, scale.level).unzip();
    let excess = stats::excess_interval(&strata, overdispersion, scale.level);
    let burn = |counts: Counts| (counts.total > 0.0).then(|| counts.bad / counts.total / scale.budget);
    let alone = stats::proportion(canary.bad / own, canary.total / own, scale.level);
    let attribution = Attribution {
        canary,
        baseline,
        baseline_kind: kind,
        planned: served.planned(),
        canary_burn: burn(canary),
        baseline_burn: burn(baseline),
        ratio: compared.and_then(|compared| compared.ratio()),
        ratio_low,
        ratio_high,
        overdispersion: own.max(other),
        slices: served.slices(),
        excess: compared.map(|compared| compared.excess),
        excess_low: excess.map(|excess| excess.low),
        excess_high: excess.map(|excess| excess.high),
        dropped_strata: if by_name { compared.map_or(served.names(), |compared| compared.dropped) } else { 0 },
        projected: burn(canary).zip(alone).map(|(burn, alone)| (burn, alone.low / scale.budget)),
        share: compared.zip(scale.events).and_then(|(compared, events)| share(compared.excess, events, scale.budget)),
    };
    (attribution, compared)
}

/// `excess`, at least 0, of what `events` are allowed; `None` of none, and of what is no number.
pub(super) fn share(excess: f64, events: f64, budget: f64) -> Option<f64> {
    let share = excess.clamp(0.0, f64::INFINITY) / (events * budget);
    Some(share).filter(|share| events > 0.0 && share.is_finite())
}
