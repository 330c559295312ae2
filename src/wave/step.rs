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
use crate::wave::Attestation;
use crate::wave::Decision;
use crate::wave::EventKind;
use crate::wave::Gate;
use crate::wave::GateState;
use crate::wave::Outage;
use crate::wave::Verdict;
use crate::wave::Wave;
use crate::wave::Would;

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
    /// Somebody says that what the gate requires is there.
    Attested {
        /// One of what it requires.
        name: String,
        /// Who.
        by: String,
        /// For people.
        note: Option<String>,
        /// Where it can be seen.
        url: Option<String>,
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
    if gate.would.is_some() { observe(gate, event, now) } else { enforce(gate, event, now) }
}

/// What happens, happens to what the gate would be. It goes on until that is decided or no
/// look is left, and then it has passed: this is the one way to a pass without evidence,
/// for a rule file that says `mode: observe`.
fn observe(gate: &mut Gate, event: Event, now: Timestamp) {
    if gate.state.is_final() || matches!(event, Event::Decided { .. }) {
        return;
    }
    let expired = event == Event::Expired;
    let mut would = gate.as_enforced();
    enforce(&mut would, event, now);
    let over = expired || would.timing.is_some_and(|timing| timing.last() <= would.judged);
    let state = match would.state {
        GateState::Held if over => GateState::Decided,
        // Nobody is asked, so nobody would answer: the looks go on.
        GateState::Held => GateState::Analyzing,
        GateState::Scheduled
        | GateState::WarmingUp
        | GateState::Analyzing
        | GateState::Decided
        | GateState::Cancelled => would.state,
    };
    let verdict = if state == GateState::Decided { Verdict::Pass } else { Verdict::Pause };
    *gate = Gate { state, verdict, would: Some(Would { verdict: would.verdict, state: would.state }), ..would };
}

fn enforce(gate: &mut Gate, event: Event, now: Timestamp) {
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
        Event::Attested { name, by, note, url } if !gate.state.is_final() => {
            let said = |old: &Attestation| (&old.by, &old.note, &old.url) == (&by, &note, &url);
            let open = |old: &Option<Attestation>| !old.as_ref().is_some_and(said);
            if let Some(one) = gate.requires.iter_mut().find(|one| one.name == name && open(&one.attested)) {
                one.attested = Some(Attestation { by, note, url, at: now });
            }
        }
        // Too late, or too early: the gate stands.
        Event::Timed(_)
        | Event::Judged(_)
        | Event::Silent { .. }
        | Event::Expired
        | Event::Decided { .. }
        | Event::Attested { .. }
        | Event::Cancelled { .. } => {}
    }
}

/// Whether a person may say `verdict` of the gate as it stands: fail at any time
/// before it is called off, pass only where the gate has asked or has failed,
/// because before that nobody has looked. Of a gate that observes there is nothing to
/// decide.
pub fn may_decide(gate: &Gate, verdict: Verdict) -> bool {
    if gate.would.is_some() {
        return false;
    }
    let failed = gate.state == GateState::Decided && gate.verdict == Verdict::Fail;
    match verdict {
        Verdict::Pass => gate.state == GateState::Held || failed,
        Verdict::Fail => gate.state != GateState::Cancelled && !failed,
        Verdict::Pause => false,
    }
}

/// Says again, after the judgement was made anew from the evidence, what
/// [`Event::Expired`] or the last look had said: no ruling but that holds a gate so.
pub fn restore(gate: &mut Gate, now: Timestamp) {
    let state = gate.would.map_or(gate.state, |would| would.state);
    if state == GateState::Held && gate.judgement.as_ref().is_none_or(holds_nobody) {
        say_out_of_time(gate, now);
    }
}

/// Whether the ruling alone holds no gate: one that is held all the same ran out of time.
fn holds_nobody(judgement: &Judgement) -> bool {
    matches!(judgement.ruling, Ruling::GoOn | Ruling::Pass)
}

fn judged(gate: &mut Gate, mut judgement: Judgement) {
    let last = gate.timing.is_some_and(|timing| timing.last() <= gate.judged + 1);
    let ruling = match judgement.ruling {
        // A FAIL is never delayed by what is not attested; a PASS is.
        Ruling::Pass if gate.unattested(judgement.at).next().is_none() => Ruling::Pass,
        Ruling::Pass if last => Ruling::Hold,
        Ruling::Pass => Ruling::GoOn,
        Ruling::GoOn | Ruling::Fail | Ruling::Hold => judgement.ruling,
    };
    let warm = gate.timing.is_some_and(|timing| timing.warm < judgement.at);
    // A held gate is failed by a check, not by the deadline that has held it already.
    let by_deadline = |reason: &Reason| matches!(reason.cause, Cause::DeadlineReached { .. });
    let late = gate.state == GateState::Held && judgement.reasons.first().is_some_and(by_deadline);
    gate.judged += 1;
    gate.outage = None;
    gate.state = match (ruling, gate.state) {
        (Ruling::Fail, _) if late => GateState::Held,
        // Held by a check or the deadline: only a person turns that into a pass.
        (Ruling::Hold, _) | (Ruling::GoOn | Ruling::Pass, GateState::Held) => GateState::Held,
        (Ruling::Pass | Ruling::Fail, _) => GateState::Decided,
        (Ruling::GoOn, _) if warm => GateState::Analyzing,
        (Ruling::GoOn, _) => GateState::WarmingUp,
    };
    gate.verdict = match (gate.state, ruling) {
        (GateState::Decided, Ruling::Pass) => Verdict::Pass,
        (GateState::Decided, _) => Verdict::Fail,
        _ => Verdict::Pause,
    };
    if gate.state == GateState::Held && holds_nobody(&judgement) {
        // A check that holds a gate goes on saying so: this one ran out of time.
        judgement.reasons.insert(0, out_of_time(gate, judgement.at));
    }
    gate.judgement = Some(judgement);
}

/// Holds the gate whatever `on_deadline` says: looks are missing, and a wave is not
/// failed for what nobody saw.
fn expire(gate: &mut Gate, now: Timestamp) {
    gate.state = GateState::Held;
    gate.verdict = Verdict::Pause;
    say_out_of_time(gate, now);
}

fn say_out_of_time(gate: &mut Gate, now: Timestamp) {
    let reason = out_of_time(gate, now);
    let judgement = gate.judgement.get_or_insert_with(|| Judgement {
        at: now,
        looks: 0,
        planned: gate.timing.map_or(0, |timing| timing.planned()),
        ruling: Ruling::GoOn,
        healthy: false,
        reasons: Vec::new(),
        checks: Vec::new(),
        budget: None,
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
    effects.extend(attested(before, after));
    effects
}

/// A line of the audit log for each attestation that is new.
fn attested(before: &Gate, after: &Gate) -> impl Iterator<Item = Effect> {
    let revision = after.revision + 1;
    let new = before.requires.iter().zip(&after.requires).filter(|(was, is)| was.attested != is.attested);
    new.filter_map(move |(_, is)| {
        let Attestation { by, note, url, .. } = is.attested.as_ref()?;
        let more = [note, url].into_iter().flatten().fold(String::new(), |text, part| format!("{text}: {part}"));
        let detail = format!("revision {revision}: {}{more}", is.name);
        Some(Effect::Audit { by: by.clone(), action: "attested", detail })
    })
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
        || before.requires != after.requires
        || before.would != after.would
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
    if after.would.is_some() {
        // It holds up nobody, so nobody is told that it would.
        return None;
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
    if let Some(would) = gate.would {
        let what = match would.verdict {
            Verdict::Pass => "passed as it would have",
            Verdict::Fail => "passed because it only observes; it would have failed",
            Verdict::Pause => "passed because it only observes; a person would have been asked",
        };
        let detail = format!("revision {revision}: {what}");
        return Effect::Audit { by: "wavegate".to_owned(), action: "observed", detail };
    }
    let (action, what) = match (gate.state, gate.verdict) {
        (GateState::Held, _) => ("held", "a person is asked"),
        (GateState::Decided, Verdict::Pass) => ("passed", "every counted check passed"),
        (GateState::Decided, _) => ("failed", "a counted check failed or the deadline came"),
        _ => ("changed", "the verdict changed"),
    };
    Effect::Audit { by: "wavegate".to_owned(), action, detail: format!("revision {revision}: {what}") }
}
