//! The life of a gate: what an event makes of it, and what must be done then.
//!
//! [`step`] decides and does nothing: the shell commits what it returns. A final
//! gate is left only by a person's word.

use crate::judge::Cause;
use crate::judge::Judgement;
use crate::judge::Reason;
use crate::judge::Ruling;
use crate::judge::Timing;
use crate::rules::RulesName;
use crate::series::Timestamp;
use crate::wave::Decision;
use crate::wave::EventKind;
use crate::wave::Gate;
use crate::wave::GateState;
use crate::wave::Outage;
use crate::wave::Verdict;
use crate::wave::Wave;

/// What happened to a gate.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The source's scrape interval is known, and with it the grid.
    Timed(Timing),
    /// One more interval was judged.
    Judged(Box<Judgement>),
    /// The source did not answer.
    Silent {
        /// What it said, or what became of the attempt.
        message: String,
    },
    /// The deadline and the settling time are over, and looks are undone.
    Expired,
    /// A person passes or fails the gate.
    Decided {
        /// Pass or fail.
        verdict: Verdict,
        /// Who.
        by: String,
        /// Why.
        why: String,
    },
    /// Somebody calls the gate off.
    Cancelled {
        /// Who.
        by: String,
        /// Why.
        why: String,
    },
}

/// What the shell must do, in one transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The gate's document changed: `revision` is new.
    Publish,
    /// Webhook consumers are told.
    Announce(EventKind),
    /// The audit log gets a line.
    Audit {
        /// `wavegate`, or a person.
        by: String,
        /// One word of the audit log.
        action: &'static str,
        /// One sentence.
        detail: String,
    },
}

/// Applies `event` to the gate `rules` of `wave` at `now`. An event that does not
/// apply to the gate as it stands changes nothing and has no effects.
pub fn step(wave: &Wave, rules: &RulesName, event: Event, now: Timestamp) -> (Wave, Vec<Effect>) {
    let mut next = wave.clone();
    let Some(gate) = next.gates.iter_mut().find(|gate| gate.rules == *rules) else {
        return (next, Vec::new());
    };
    let before = gate.clone();
    apply(gate, event, now);
    let effects = effects(&before, gate);
    if effects.contains(&Effect::Publish) {
        gate.revision += 1;
        gate.revised_at = now;
    }
    (next, effects)
}

fn apply(gate: &mut Gate, event: Event, now: Timestamp) {
    match event {
        Event::Timed(timing) if !gate.state.is_final() => {
            gate.timing = Some(timing);
            gate.outage = None;
            if gate.state == GateState::Scheduled {
                gate.state = GateState::WarmingUp;
            }
        }
        Event::Judged(judgement) if !gate.state.is_final() => judged(gate, *judgement),
        Event::Silent { message } if !gate.state.is_final() => {
            let since = gate.outage.as_ref().map_or(now, |outage| outage.since);
            gate.outage = Some(Outage { since, message });
        }
        Event::Expired if !gate.state.is_settled() => expire(gate, now),
        Event::Decided { verdict, by, why } if may_decide(gate, verdict) => {
            gate.state = GateState::Decided;
            gate.verdict = verdict;
            gate.decision = Some(Decision { verdict: Some(verdict), by, why, at: now });
        }
        Event::Cancelled { by, why } if !gate.state.is_final() => {
            gate.state = GateState::Cancelled;
            gate.verdict = Verdict::Pause;
            gate.decision = Some(Decision { verdict: None, by, why, at: now });
        }
        // Too late, or too early: the gate stands.
        Event::Timed(_)
        | Event::Judged(_)
        | Event::Silent { .. }
        | Event::Expired
        | Event::Decided { .. }
        | Event::Cancelled { .. } => {}
    }
}

/// Whether a person may say `verdict` of the gate as it stands: fail at any time
/// before it is called off, pass only where the gate has asked or has failed,
/// because before that nobody has looked.
pub fn may_decide(gate: &Gate, verdict: Verdict) -> bool {
    let failed = gate.state == GateState::Decided && gate.verdict == Verdict::Fail;
    match verdict {
        Verdict::Pass => gate.state == GateState::Held || failed,
        Verdict::Fail => gate.state != GateState::Cancelled && !failed,
        Verdict::Pause => false,
    }
}

/// Says again, after the judgement was made anew from the evidence, what
/// [`Event::Expired`] had said: no ruling but that holds a gate so.
pub fn restore(gate: &mut Gate, now: Timestamp) {
    let undecided = gate.judgement.as_ref().is_none_or(|judgement| judgement.ruling == Ruling::GoOn);
    if gate.state == GateState::Held && undecided {
        expire(gate, now);
    }
}

fn judged(gate: &mut Gate, mut judgement: Judgement) {
    if (gate.state, judgement.ruling) == (GateState::Held, Ruling::GoOn) {
        // A check that holds a gate goes on saying so: this one ran out of time.
        judgement.reasons.insert(0, out_of_time(gate, judgement.at));
    }
    let warm = gate.timing.is_some_and(|timing| timing.warm < judgement.at);
    // A held gate is failed by a check, not by the deadline that has held it already.
    let out_of_time = |reason: &Reason| matches!(reason.cause, Cause::DeadlineReached { .. });
    let late = gate.state == GateState::Held && judgement.reasons.first().is_some_and(out_of_time);
    gate.judged += 1;
    gate.outage = None;
    gate.state = match (judgement.ruling, gate.state) {
        (Ruling::Fail, _) if late => GateState::Held,
        // Held by a check or the deadline: only a person turns that into a pass.
        (Ruling::Hold, _) | (Ruling::GoOn | Ruling::Pass, GateState::Held) => GateState::Held,
        (Ruling::Pass | Ruling::Fail, _) => GateState::Decided,
        (Ruling::GoOn, _) if warm => GateState::Analyzing,
        (Ruling::GoOn, _) => GateState::WarmingUp,
    };
    gate.verdict = match (gate.state, judgement.ruling) {
        (GateState::Decided, Ruling::Pass) => Verdict::Pass,
        (GateState::Decided, _) => Verdict::Fail,
        _ => Verdict::Pause,
    };
    gate.judgement = Some(judgement);
}

/// Holds the gate whatever `on_deadline` says: looks are missing, and a wave is not
/// failed for what nobody saw.
fn expire(gate: &mut Gate, now: Timestamp) {
    let reason = out_of_time(gate, now);
    gate.state = GateState::Held;
    gate.verdict = Verdict::Pause;
    let judgement = gate.judgement.get_or_insert_with(|| Judgement {
        at: now,
        looks: 0,
        planned: gate.timing.map_or(0, |timing| timing.planned()),
        ruling: Ruling::GoOn,
        healthy: false,
        reasons: Vec::new(),
        checks: Vec::new(),
        expected: None,
    });
    judgement.reasons.insert(0, reason);
}

fn out_of_time(gate: &Gate, now: Timestamp) -> Reason {
    let deadline = gate.timing.map_or(now, |timing| timing.deadline);
    Reason { check: None, cause: Cause::DeadlineReached { deadline } }
}

fn effects(before: &Gate, after: &Gate) -> Vec<Effect> {
    let mut effects = Vec::new();
    if is_news(before, after) {
        effects.push(Effect::Publish);
    }
    if let Some(kind) = announcement(before, after) {
        effects.push(Effect::Announce(kind));
    }
    if before.state != after.state && after.state.is_settled() || before.verdict != after.verdict {
        effects.push(audit(after));
    }
    effects
}

/// A planned look, or anything a reader would act on.
fn is_news(before: &Gate, after: &Gate) -> bool {
    let planned = match (&before.judgement, &after.judgement) {
        (Some(was), Some(is)) => was.looks != is.looks,
        (None, Some(_)) => true,
        (_, None) => false,
    };
    let grounds = |gate: &Gate| {
        gate.judgement.as_ref().map(|judgement| {
            let codes = |reason: &Reason| (reason.check.clone(), reason.cause.code());
            (judgement.healthy, judgement.reasons.iter().map(codes).collect::<Vec<_>>())
        })
    };
    planned
        || (before.state, before.verdict) != (after.state, after.verdict)
        || before.outage.is_some() != after.outage.is_some()
        || before.timing != after.timing
        || before.decision != after.decision
        || grounds(before) != grounds(after)
}

fn announcement(before: &Gate, after: &Gate) -> Option<EventKind> {
    let settled_now = (before.state, before.verdict) != (after.state, after.verdict) && after.state.is_final();
    if settled_now {
        return Some(match (after.state, after.verdict) {
            (GateState::Cancelled, _) => EventKind::Cancelled,
            (_, Verdict::Pass) => EventKind::Passed,
            (_, Verdict::Fail | Verdict::Pause) => EventKind::Failed,
        });
    }
    // That a person is asked is news also where the gate was blind before.
    if before.state != after.state && after.state == GateState::Held {
        return Some(EventKind::Paused);
    }
    match (before.is_stopped(), after.is_stopped()) {
        (false, true) => Some(EventKind::Paused),
        (true, false) => Some(EventKind::Resumed),
        _ => None,
    }
}

fn audit(gate: &Gate) -> Effect {
    let revision = gate.revision + 1;
    if let (Some(decision), true) = (&gate.decision, gate.state.is_final()) {
        let action = match decision.verdict {
            Some(Verdict::Pass) => "decided_pass",
            Some(Verdict::Fail | Verdict::Pause) => "decided_fail",
            None => "cancelled",
        };
        let detail = format!("revision {revision}: {}", decision.why);
        return Effect::Audit { by: decision.by.clone(), action, detail };
    }
    let (action, what) = match (gate.state, gate.verdict) {
        (GateState::Held, _) => ("held", "a person is asked"),
        (GateState::Decided, Verdict::Pass) => ("passed", "every counted check passed"),
        (GateState::Decided, _) => ("failed", "a counted check failed or the deadline came"),
        _ => ("changed", "the verdict changed"),
    };
    Effect::Audit { by: "wavegate".to_owned(), action, detail: format!("revision {revision}: {what}") }
}
