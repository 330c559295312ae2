//! What one look says: pure, total, the same bytes for the same evidence.
//!
//! [`judge`] takes what the gate remembers and the intervals that are new, and
//! gives back what it remembers now and what there is to say. Nothing here waits,
//! fails or asks the time.
//!
//! Each statistical check has its share of `false_fail` and spends it over the planned
//! looks, so that the promise holds however often somebody asks (statistics.md §3, §6).

mod alone;
mod arrivals;
mod budget;
mod calendar;
mod cause;
mod check;
mod counts;
#[cfg(test)]
mod footprint;
mod gauge;
mod histogram;
mod instance_means;
mod judgement;
mod levels;
mod looks;
mod outlier;
mod outlook;
mod quantile;
mod ranks;
mod ratio;
mod repeated;
mod scale;
mod spectrum;
mod state;
mod threshold;
mod timing;

pub use budget::Attribution;
pub use budget::BaselineKind;
pub use budget::BudgetOutcome;
pub use budget::Burn;
pub use budget::BurnState;
pub use budget::Charged;
pub use budget::PeriodBurn;
pub use budget::Policy;
pub use budget::PolicyReading;
pub use budget::Spent;
pub use budget::Stand;
pub use budget::TierReading;
pub use budget::WaveShare;
pub use budget::WavesSpent;
pub use budget::WindowBurn;
pub use budget::account;
pub use budget::burn;
pub use budget::spent_by;
pub use budget::waves_spent;
pub use cause::Cause;
pub use judgement::CheckOutcome;
pub use judgement::Cohort;
pub use judgement::Effect;
pub use judgement::Expected;
pub use judgement::Judgement;
pub use judgement::Margins;
pub use judgement::Outcome;
pub use judgement::Reason;
pub use judgement::Ruling;
pub use judgement::Sizes;
pub use judgement::ThresholdReading;
pub use judgement::Unit;
pub use judgement::Warning;
pub use state::State;
pub use timing::MAX_PLANNED;
pub use timing::Timing;

// What a plan must know of the tests to say what they will find.
pub(crate) use alone::PASS_SHARE as ALONE_PASS_SHARE;
pub(crate) use counts::DISTURBANCE as RATIO_DISTURBANCE;
pub(crate) use counts::FAST_INTERVALS;
pub(crate) use counts::FAST_SHARE;
pub(crate) use counts::FAST_SPAN;
pub(crate) use counts::fast_ratio;
pub(crate) use gauge::DRIFT_SHARE;
pub(crate) use gauge::PRIOR_INTERVAL_MAX;
pub(crate) use histogram::DISTURBANCE as HISTOGRAM_DISTURBANCE;
pub(crate) use instance_means::INSTANCES_LEAST;
pub(crate) use levels::Levels;
pub(crate) use looks::Bounds;
pub(crate) use looks::Looks;
pub(crate) use quantile::PASS_RATIO;
pub(crate) use quantile::TAILS;
pub(crate) use ratio::FLOOR_SHARE;
pub(crate) use ratio::INSTANCE_SHARE;

use crate::judge::budget::Sight;
use crate::judge::calendar::Calendar;
use crate::judge::calendar::once_open;
use crate::judge::check::Look;
use crate::judge::looks::Place;
use crate::rules::Closed;
use crate::rules::OnDeadline;
use crate::rules::OnFail;
use crate::rules::RuleFile;
use crate::series::CheckEvidence;
use crate::series::IntervalEvidence;
use crate::series::Timestamp;

/// Takes the intervals of `evidence` that follow on from `state` and end by `now`,
/// looks at the end of each, and says what the last look says.
///
/// Intervals in the warm-up, out of order or after the deadline are passed over.
/// With no new interval the gate stands by what it said: it never passes by that.
pub fn judge(rules: &RuleFile, state: &State, evidence: &[IntervalEvidence], now: Timestamp) -> (State, Judgement) {
    let calendar = |at| rules.windows.as_ref().and_then(|windows| windows.closed(at));
    judge_by(&calendar, rules, state, evidence, now)
}

fn judge_by(
    calendar: Calendar<'_>,
    rules: &RuleFile,
    state: &State,
    evidence: &[IntervalEvidence],
    now: Timestamp,
) -> (State, Judgement) {
    let mut state = state.clone();
    let mut look = state.look(rules, now, None, None);
    for interval in evidence.iter().filter(|interval| interval.window.to <= now) {
        let index = state.judged + 1;
        if interval.window != state.timing.window(index) || index > state.timing.last() {
            continue;
        }
        state.take(rules, interval, index);
        look = state.look(rules, interval.window.to, state.looks.place(index), state.looks.next(index));
        let State { checks, looks, timing, .. } = &mut state;
        for check in checks {
            check.look(&look, looks, timing);
        }
        if let Some((own, budget)) = state.budget.as_mut().zip(rules.budget.as_ref()) {
            own.look(budget);
        }
    }
    let judgement = conclude(calendar, rules, &state, &look);
    (state, judgement)
}

impl State {
    fn take(&mut self, rules: &RuleFile, interval: &IntervalEvidence, index: u32) {
        self.judged = index;
        self.looked += u32::from(self.timing.is_planned(index));
        let warm = self.timing.first_warm() <= index;
        if let Some((own, budget)) = self.budget.as_mut().zip(rules.budget.as_ref()) {
            own.fold(rules, budget, interval, warm);
        }
        if !warm {
            return;
        }
        // Evidence that lacks a check is evidence of not having looked.
        let missing = CheckEvidence::missing();
        for (position, check) in self.checks.iter_mut().enumerate() {
            check.fold(interval.checks.get(position).unwrap_or(&missing), interval.window.to);
        }
    }

    fn look(&self, rules: &RuleFile, at: Timestamp, place: Option<Place>, next: Option<Place>) -> Look {
        Look { at, place, next, min_end: self.timing.min_end, coverage: rules.telemetry.coverage }
    }
}

/// The ruling and its reasons from what each check says.
fn conclude(calendar: Calendar<'_>, rules: &RuleFile, state: &State, look: &Look) -> Judgement {
    let outcomes: Vec<CheckOutcome> =
        rules.checks.iter().zip(&state.checks).map(|(check, own)| own.outcome(check, look)).collect();
    let warm = state.judged >= state.timing.first_warm();
    let sight = Sight { warm, coverage: look.coverage };
    let budget = state.budget.as_ref().zip(rules.budget.as_ref()).map(|(own, budget)| own.outcome(budget, sight));
    let stand = budget.as_ref().map_or(Stand::Pass, |budget| budget.stand);
    let closed = calendar(look.at);
    let ruling = ruling(rules, state, look, closed.as_ref(), &outcomes, budget.as_ref());
    let counted = || rules.checks.iter().zip(&state.checks).filter(|(check, _)| check.counts());
    let checks_healthy = !warm || counted().all(|(_, own)| own.is_healthy(look.coverage));
    let healthy = checks_healthy && budget.as_ref().is_none_or(|budget| budget.healthy);
    Judgement {
        at: look.at,
        looks: state.looked,
        planned: state.timing.planned(),
        healthy,
        // Who does not see does not foresee.
        expected: healthy
            .then(|| expected(ruling, look.at, closed.as_ref(), &outcomes))
            .flatten()
            // Nobody knows when the budget will allow a PASS that it does not now.
            .filter(|coming| coming.outcome != Outcome::Pass || stand == Stand::Pass)
            .and_then(|coming| once_open(calendar, &state.timing, coming)),
        reasons: reasons(rules, state, ruling, closed, &outcomes, budget.as_ref()),
        ruling,
        checks: outcomes,
        budget,
    }
}

/// What the gate will decide: it fails with the first check that does, and passes with the last.
fn expected(ruling: Ruling, at: Timestamp, closed: Option<&Closed>, outcomes: &[CheckOutcome]) -> Option<Expected> {
    let open = || counted(outcomes).filter(|check| check.outcome == Outcome::Inconclusive);
    if ruling != Ruling::GoOn {
        return None;
    }
    if open().next().is_none() {
        return closed.map(|_| Expected { outcome: Outcome::Pass, at });
    }
    let of = |outcome| move |check: &CheckOutcome| check.expected.filter(|expected| expected.outcome == outcome);
    let fail =
        open().filter(|check| check.on_fail == OnFail::Fail).filter_map(of(Outcome::Fail)).min_by_key(|next| next.at);
    // One check that is heading nowhere holds up all.
    let passes: Option<Vec<Expected>> = open().map(of(Outcome::Pass)).collect();
    fail.or_else(|| passes?.into_iter().max_by_key(|next| next.at))
}

/// Checks that count, which those with `on_fail: report` do not.
fn counted(outcomes: &[CheckOutcome]) -> impl Iterator<Item = &CheckOutcome> {
    outcomes.iter().filter(|check| check.on_fail != OnFail::Report)
}

/// Whether every check that counts passes, and there is one.
fn all_pass(outcomes: &[CheckOutcome]) -> bool {
    let mut counted = counted(outcomes).peekable();
    counted.peek().is_some() && counted.all(|check| check.outcome == Outcome::Pass)
}

fn ruling(
    rules: &RuleFile,
    state: &State,
    look: &Look,
    closed: Option<&Closed>,
    outcomes: &[CheckOutcome],
    budget: Option<&BudgetOutcome>,
) -> Ruling {
    let stand = budget.map_or(Stand::Pass, |budget| budget.stand);
    let may_pass = look.place.is_some() && look.min_end <= look.at && closed.is_none() && stand == Stand::Pass;
    let failed = |on_fail| outcomes.iter().any(|check| check.outcome == Outcome::Fail && check.on_fail == on_fail);
    if failed(OnFail::Fail) {
        Ruling::Fail
    } else if failed(OnFail::Pause) || stand == Stand::Hold {
        Ruling::Hold
    } else if may_pass && all_pass(outcomes) {
        Ruling::Pass
    } else if state.timing.last() <= state.judged {
        match rules.schedule.on_deadline {
            // A wave is not failed for the calendar, nor for how its service stands beside it,
            // nor where the warm-up or a planned downtime left not one look.
            OnDeadline::Fail if closed.is_none() && state.looked > 0 && !is_innocent(outcomes, budget) => Ruling::Fail,
            OnDeadline::Fail | OnDeadline::Pause => Ruling::Hold,
        }
    } else {
        Ruling::GoOn
    }
}

/// Whether all that holds the wave up is how its service stands, which is not its doing, or
/// what an earlier day was like, which is no proof of it (slo.md §3.3).
fn is_innocent(outcomes: &[CheckOutcome], budget: Option<&BudgetOutcome>) -> bool {
    let Some(budget) = budget.filter(|budget| budget.stand != Stand::Pass) else { return false };
    let of_wave = |reading: &&PolicyReading| match reading.policy {
        Policy::WaveBurn => budget.wave.baseline_kind != BaselineKind::Historical,
        Policy::Projected => true,
        Policy::Reserve | Policy::WavesSpend | Policy::Page => false,
    };
    let cleared = |reading: &PolicyReading| matches!(reading.stand, None | Some(Stand::Pass));
    all_pass(outcomes) && budget.policies.iter().filter(of_wave).all(cleared)
}

fn reasons(
    rules: &RuleFile,
    state: &State,
    ruling: Ruling,
    closed: Option<Closed>,
    outcomes: &[CheckOutcome],
    budget: Option<&BudgetOutcome>,
) -> Vec<Reason> {
    let timing = &state.timing;
    let whole = |cause| Reason { check: None, cause };
    let of_budget = || budget.iter().flat_map(|budget| budget.reasons.iter().cloned()).map(whole);
    let checks = u32::try_from(counted(outcomes).count()).unwrap_or(u32::MAX);
    if ruling == Ruling::Pass {
        return vec![whole(Cause::AllChecksPassed { checks })];
    }
    let closed = closed.map(|Closed { by, until }| whole(Cause::WindowClosed { by, until }));
    if state.judged < timing.first_warm() && state.judged < timing.last() {
        let planned = rules.schedule.warmup < rules.downtime;
        let until = timing.warm;
        let waits = if planned { Cause::PlannedDowntime { until } } else { Cause::WarmingUp { until } };
        let mut reasons: Vec<Reason> = of_budget().chain([whole(waits)]).chain(closed).collect();
        reasons.sort_by_key(|reason| reason.cause.gravity());
        return reasons;
    }
    let failed = counted(outcomes).any(|check| check.outcome == Outcome::Fail);
    let held = budget.is_some_and(|budget| budget.stand == Stand::Hold);
    let mut reasons: Vec<Reason> = Vec::new();
    if ruling != Ruling::GoOn && !failed && !held {
        reasons.push(whole(Cause::DeadlineReached { deadline: timing.deadline }));
    }
    for check in counted(outcomes) {
        let own = |cause: &Cause| Reason { check: Some(check.name.clone()), cause: cause.clone() };
        reasons.extend(check.reasons.iter().map(own));
    }
    reasons.extend(of_budget());
    // Nobody needs to know when a wave that has failed could have passed.
    reasons.extend(closed.filter(|_| !failed));
    if all_pass(outcomes) {
        // What holds it up then is not theirs.
        reasons.push(whole(Cause::AllChecksPassed { checks }));
    }
    // Stable, so that within one gravity the order of the rule file stands.
    reasons.sort_by_key(|reason| reason.cause.gravity());
    reasons
}
