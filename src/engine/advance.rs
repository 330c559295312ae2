//! From new evidence to what must be committed: no clock, no waiting.
//!
//! The daemon and the `judge` command both come through here, so that a past
//! wave gets the verdict that the daemon gave it.

use crate::judge;
use crate::judge::Charged;
use crate::judge::Spent;
use crate::judge::State;
use crate::judge::Timing;
use crate::rules::Digest;
use crate::rules::RuleFile;
use crate::rules::RulesName;
use crate::rules::query::Bindings;
use crate::series::IntervalEvidence;
use crate::series::Timestamp;
use crate::series::Window;
use crate::sources::gather;
use crate::store::AuditEntry;
use crate::store::Change;
use crate::store::Charge;
use crate::store::Message;
use crate::wave;
use crate::wave::Effect;
use crate::wave::Event;
use crate::wave::EventKind;
use crate::wave::Gate;
use crate::wave::Wave;
use crate::wire;

/// Where a gate stands after some intervals.
#[derive(Clone, Debug, PartialEq)]
pub struct Advanced {
    /// The wave with the gate moved on.
    pub wave: Wave,
    /// What the judge remembers.
    pub state: State,
    /// One for each interval that was judged, in order.
    pub changes: Vec<Change>,
}

/// Judges `evidence`, which follows on from `state`, interval by interval, until the
/// gate is final.
pub fn advance(wave: &Wave, rules: &RuleFile, state: &State, evidence: Vec<IntervalEvidence>) -> Advanced {
    let mut advanced = Advanced { wave: wave.clone(), state: state.clone(), changes: Vec::new() };
    for interval in evidence {
        let settled = gate_of(&advanced.wave, &rules.name).is_none_or(|gate| gate.state.is_final());
        if settled {
            break;
        }
        let at = interval.window.to;
        let before = advanced.state.judged();
        let (state, judgement) = judge::judge(rules, &advanced.state, std::slice::from_ref(&interval), at);
        if state.judged() == before {
            continue;
        }
        advanced.state = state;
        let spent = judgement.budget.as_ref().map(|budget| budget.spent);
        let event = Event::Judged(Box::new(judgement));
        let (wave, change) = apply(&advanced.wave, &rules.name, event, at);
        let index = advanced.state.judged();
        advanced.wave = wave;
        let made = change.map(|change| Change {
            evidence: vec![(index, interval)],
            charge: spent.and_then(|spent| charge(rules, &change, spent)),
            ..change
        });
        advanced.changes.extend(made);
    }
    advanced
}

/// Applies one event and turns its effects into what must be committed.
pub fn apply(wave: &Wave, rules: &RulesName, event: Event, now: Timestamp) -> (Wave, Option<Change>) {
    let (next, effects) = wave::step(wave, rules, event, now);
    let change = gate_of(&next, rules).map(|gate| change(&next, gate, &effects, now));
    (next, change)
}

/// What must be committed for `effects` on a gate.
pub(super) fn change(wave: &Wave, gate: &Gate, effects: &[Effect], now: Timestamp) -> Change {
    let mut change = Change {
        wave: wave.id.clone(),
        rollout: wave.rollout.clone(),
        gate: gate.clone(),
        rules_text: None,
        evidence: Vec::new(),
        document: None,
        messages: Vec::new(),
        audit: Vec::new(),
        charge: None,
    };
    for effect in effects {
        match effect {
            Effect::Publish => change.document = Some(wire::gate_document(wave, gate)),
            Effect::Announce(kind) => change.messages.push(message(wave, gate, *kind, now)),
            Effect::Audit { by, action, detail } => change.audit.push(AuditEntry {
                at: now,
                by: by.clone(),
                action: (*action).to_owned(),
                detail: detail.clone(),
            }),
        }
    }
    change
}

/// What the wave of `change` is charged with, once the look is committed. A gate that
/// observes is charged too: its wave served users all the same.
fn charge(rules: &RuleFile, change: &Change, spent: Spent) -> Option<Charge> {
    let slo = &rules.budget.as_ref()?.slo;
    let gate = &change.gate;
    let (wave, name) = (change.wave.to_string(), gate.rules.to_string());
    let charged = Charged { wave, rules: name, attempt: gate.attempt, spent };
    Some(Charge { slo: slo.name.clone(), digest: slo.digest.clone(), charged })
}

/// The question that brings the evidence of `windows`.
pub(super) fn request<'a>(
    rules: &'a RuleFile,
    bindings: &Bindings<'a>,
    timing: &Timing,
    windows: &'a [Window],
) -> gather::Request<'a> {
    gather::Request {
        rules,
        wave: bindings.wave,
        baseline: bindings.baseline,
        params: bindings.params,
        began: timing.start,
        interval: timing.interval,
        scrape: timing.scrape,
        windows,
    }
}

/// The gate `rules` of `wave`.
pub fn gate_of<'a>(wave: &'a Wave, rules: &RulesName) -> Option<&'a Gate> {
    wave.gates.iter().find(|gate| gate.rules == *rules)
}

/// The id is made of what the message tells, so that the same change committed twice
/// after a crash is one message. It has the opening in it because names come back:
/// once a gate is forgotten its wave begins with attempt 1 again, and another daemon
/// that tells the same receiver may judge a wave of the same name.
fn message(wave: &Wave, gate: &Gate, kind: EventKind, at: Timestamp) -> Message {
    let opened = gate.opened_at.as_millis();
    let what = format!("{}\n{}\n{opened}\n{}\n{}\n{kind:?}", wave.id, gate.rules, gate.attempt, gate.revision);
    let digest = Digest::of(what.as_bytes());
    let id = digest.as_str().trim_start_matches("sha256:").chars().take(32).collect::<String>();
    Message { id: format!("msg_{id}"), kind, at, body: wire::event_body(kind, wave, gate) }
}
