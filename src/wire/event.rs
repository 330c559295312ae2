//! What a webhook consumer is told: one small object for each change of a gate.

use crate::wave::EventKind;
use crate::wave::Gate;
use crate::wave::Wave;
use crate::wire::document::StandingShape;
use crate::wire::json;
use crate::wire::json::Instant;
use crate::wire::prose;
use crate::wire::reason;
use crate::wire::standing::Standing;
use crate::wire::summary;
use serde::Serialize;

/// The largest event: receivers refuse large bodies, and the outbox keeps each.
pub const MAX_EVENT_BYTES: usize = 8 * 1024;

/// Reasons in an event; the document has all of them.
const MAX_REASONS: usize = 5;

/// `{"type":"wave.failed","timestamp":…,"data":{…}}`: what happened to `gate` of
/// `wave`, at most [`MAX_EVENT_BYTES`] long whatever names and reasons it carries.
///
/// The bytes depend on the gate's revision only, so that sending again sends the same.
pub fn event_body(kind: EventKind, wave: &Wave, gate: &Gate) -> String {
    let mut reasons = reason::of_gate(gate);
    reasons.truncate(MAX_REASONS);
    loop {
        let body = json::text(&shape(kind, wave, gate, &reasons));
        if body.len() <= MAX_EVENT_BYTES || reasons.pop().is_none() {
            return body;
        }
    }
}

#[derive(Serialize)]
struct Event<'a> {
    r#type: &'static str,
    timestamp: Instant,
    data: Data<'a>,
}

#[derive(Serialize)]
struct Data<'a> {
    wave_id: &'a str,
    rollout: Option<String>,
    rules: &'a str,
    attempt: u32,
    run: Option<String>,
    #[serde(flatten)]
    standing: StandingShape,
    revision: u32,
    summary: String,
    reasons: Vec<ShortReason<'a>>,
    rules_digest: &'a str,
    evaluated_at: Option<Instant>,
}

#[derive(Serialize)]
struct ShortReason<'a> {
    code: &'static str,
    check: Option<&'a str>,
    message: String,
}

fn shape<'a>(kind: EventKind, wave: &'a Wave, gate: &'a Gate, reasons: &'a [reason::Shape]) -> Event<'a> {
    let short = |reason: &'a reason::Shape| ShortReason {
        code: reason.code,
        check: reason.check.as_deref(),
        message: prose::quote(&reason.message),
    };
    Event {
        r#type: name(kind),
        timestamp: Instant(gate.revised_at),
        data: Data {
            wave_id: wave.id.as_str(),
            rollout: wave.rollout.as_deref().map(prose::quote),
            rules: gate.rules.as_str(),
            attempt: gate.attempt,
            run: gate.run.as_deref().map(prose::quote),
            standing: StandingShape::from(Standing::of_gate(gate)),
            revision: gate.revision,
            summary: summary::of_gate(gate),
            reasons: reasons.iter().map(short).collect(),
            rules_digest: gate.digest.as_str(),
            evaluated_at: gate.judgement.as_ref().map(|judgement| Instant(judgement.at)),
        },
    }
}

fn name(kind: EventKind) -> &'static str {
    match kind {
        EventKind::Opened => "wave.opened",
        EventKind::Passed => "wave.passed",
        EventKind::Failed => "wave.failed",
        EventKind::Paused => "wave.paused",
        EventKind::Resumed => "wave.resumed",
        EventKind::Cancelled => "wave.cancelled",
    }
}
