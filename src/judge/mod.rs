//! What one look says: pure, total, the same bytes for the same evidence.
//!
//! [`judge`] takes what the gate remembers and the intervals that are new, and
//! gives back what it remembers now and what there is to say. Nothing here waits,
//! fails or asks the time.
//!
//! The decision rule holds for independent samples: each statistical check has
//! its share of `false_fail`, divided by its planned looks where a test needs
//! that (statistics.md §6).

mod arrivals;
mod check;
mod gauge;
mod histogram;
mod judgement;
mod levels;
mod ratio;
mod repeated;
mod state;
mod threshold;
mod timing;

pub use judgement::Cause;
pub use judgement::CheckOutcome;
pub use judgement::Cohort;
pub use judgement::Effect;
pub use judgement::Judgement;
pub use judgement::Margins;
pub use judgement::Outcome;
pub use judgement::Reason;
pub use judgement::Ruling;
pub use judgement::Sizes;
pub use judgement::ThresholdReading;
pub use judgement::Unit;
pub use state::State;
pub use timing::MAX_PLANNED;
pub use timing::Timing;

use crate::judge::check::Look;
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
    let mut state = state.clone();
    let mut judgement = conclude(rules, &state, &state.look(rules, now, false));
    for interval in evidence.iter().filter(|interval| interval.window.to <= now) {
        let index = state.judged + 1;
        if interval.window != state.timing.window(index) || index > state.timing.last() {
            continue;
        }
        state.take(interval, index);
        let look = state.look(rules, interval.window.to, state.timing.is_planned(index));
        for check in &mut state.checks {
            check.look(&look);
        }
        judgement = conclude(rules, &state, &look);
    }
    (state, judgement)
}

impl State {
    fn take(&mut self, interval: &IntervalEvidence, index: u32) {
        self.judged = index;
        self.looks += u32::from(self.timing.is_planned(index));
        if index < self.timing.first_warm() {
            return;
        }
        // Evidence that lacks a check is evidence of not having looked.
        let missing = CheckEvidence::missing();
        for (position, check) in self.checks.iter_mut().enumerate() {
            check.fold(interval.checks.get(position).unwrap_or(&missing), interval.window.to);
        }
    }

    fn look(&self, rules: &RuleFile, at: Timestamp, planned: bool) -> Look {
        Look { at, planned, min_end: self.timing.min_end, coverage: rules.telemetry.coverage }
    }
}

/// The ruling and its reasons from what each check says.
fn conclude(rules: &RuleFile, state: &State, look: &Look) -> Judgement {
    let outcomes: Vec<CheckOutcome> =
        rules.checks.iter().zip(&state.checks).map(|(check, own)| own.outcome(check, look)).collect();
    let warm = state.judged >= state.timing.first_warm();
    let ruling = ruling(rules, state, look, &outcomes);
    let counted = || rules.checks.iter().zip(&state.checks).filter(|(check, _)| check.counts());
    Judgement {
        at: look.at,
        looks: state.looks,
        planned: state.timing.planned(),
        healthy: !warm || counted().all(|(_, own)| own.is_healthy(look.coverage)),
        reasons: reasons(rules, state, ruling, &outcomes),
        ruling,
        checks: outcomes,
    }
}

fn ruling(rules: &RuleFile, state: &State, look: &Look, outcomes: &[CheckOutcome]) -> Ruling {
    let failed = |on_fail| outcomes.iter().any(|check| check.outcome == Outcome::Fail && check.on_fail == on_fail);
    let mut counted = outcomes.iter().filter(|check| check.on_fail != OnFail::Report).peekable();
    if failed(OnFail::Fail) {
        Ruling::Fail
    } else if failed(OnFail::Pause) {
        Ruling::Hold
    } else if look.planned
        && look.min_end <= look.at
        && counted.peek().is_some()
        && counted.all(|check| check.outcome == Outcome::Pass)
    {
        Ruling::Pass
    } else if state.timing.last() <= state.judged {
        match rules.schedule.on_deadline {
            OnDeadline::Fail => Ruling::Fail,
            OnDeadline::Pause => Ruling::Hold,
        }
    } else {
        Ruling::GoOn
    }
}

fn reasons(rules: &RuleFile, state: &State, ruling: Ruling, outcomes: &[CheckOutcome]) -> Vec<Reason> {
    let timing = &state.timing;
    let whole = |cause| Reason { check: None, cause };
    if ruling == Ruling::Pass {
        let checks = u32::try_from(rules.checks.iter().filter(|check| check.counts()).count()).unwrap_or(u32::MAX);
        return vec![whole(Cause::AllChecksPassed { checks })];
    }
    if state.judged < timing.first_warm() && state.judged < timing.last() {
        return vec![whole(Cause::WarmingUp { until: timing.warm })];
    }
    let failed = outcomes.iter().any(|check| check.outcome == Outcome::Fail && check.on_fail != OnFail::Report);
    let mut reasons: Vec<Reason> = Vec::new();
    if ruling != Ruling::GoOn && !failed {
        reasons.push(whole(Cause::DeadlineReached { deadline: timing.deadline }));
    }
    for check in outcomes.iter().filter(|check| check.on_fail != OnFail::Report) {
        let own = |cause: &Cause| Reason { check: Some(check.name.clone()), cause: cause.clone() };
        reasons.extend(check.reasons.iter().map(own));
    }
    // Stable, so that within one gravity the order of the rule file stands.
    reasons.sort_by_key(|reason| reason.cause.gravity());
    reasons
}
