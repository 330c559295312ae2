//! What a webhook consumer is told: one small object for each change of a gate.

use crate::wave::EventKind;
use crate::wave::Gate;
use crate::wave::Wave;
use crate::wire::budget;
use crate::wire::document::StandingShape;
use crate::wire::document::WouldShape;
use crate::wire::json;
use crate::wire::json::Instant;
use crate::wire::prose;
use crate::wire::reason;
use crate::wire::standing::Standing;
use crate::wire::summary;
use serde::Deserialize;
use serde::Serialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

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

/// An event taken apart again, for those who send its parts in places of their own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventParts<'a> {
    /// Its type.
    pub kind: Cow<'a, str>,
    /// When it happened, RFC 3339.
    pub timestamp: Cow<'a, str>,
    /// The wave.
    pub wave_id: String,
    /// The JSON of `data`, byte by byte.
    pub data: &'a str,
}

impl<'a> EventParts<'a> {
    /// The parts of `body`, one of [`event_body`]; `None` of anything else.
    pub fn read(body: &'a str) -> Option<Self> {
        let outer: Outer<'_> = serde_json::from_str(body).ok()?;
        let inner: Inner = serde_json::from_str(outer.data.get()).ok()?;
        Some(Self { kind: outer.r#type, timestamp: outer.timestamp, wave_id: inner.wave_id, data: outer.data.get() })
    }
}

#[derive(Deserialize)]
struct Outer<'a> {
    #[serde(borrow)]
    r#type: Cow<'a, str>,
    #[serde(borrow)]
    timestamp: Cow<'a, str>,
    #[serde(borrow)]
    data: &'a RawValue,
}

#[derive(Deserialize)]
struct Inner {
    wave_id: String,
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
    class: &'static str,
    #[serde(flatten)]
    standing: StandingShape,
    revision: u32,
    summary: String,
    reasons: Vec<ShortReason<'a>>,
    /// What a receiver needs to tell a burning service from a bad wave.
    budget: Option<budget::Head<'a>>,
    would: Option<WouldShape>,
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
        r#type: event_type(kind),
        timestamp: Instant(gate.revised_at),
        data: Data {
            wave_id: wave.id.as_str(),
            rollout: wave.rollout.as_deref().map(prose::quote),
            rules: gate.rules.as_str(),
            attempt: gate.attempt,
            run: gate.run.as_deref().map(prose::quote),
            class: gate.class.word(),
            standing: StandingShape::from(Standing::of_gate(gate)),
            revision: gate.revision,
            summary: summary::of_gate(gate),
            reasons: reasons.iter().map(short).collect(),
            budget: gate.judgement.as_ref().and_then(|judgement| judgement.budget.as_ref()).map(budget::Head::of),
            would: WouldShape::of(gate),
            rules_digest: gate.digest.as_str(),
            evaluated_at: gate.judgement.as_ref().map(|judgement| Instant(judgement.at)),
        },
    }
}

/// The event's type, as receivers know it: `wave.failed`.
pub fn event_type(kind: EventKind) -> &'static str {
    match kind {
        EventKind::Opened => "wave.opened",
        EventKind::Passed => "wave.passed",
        EventKind::Failed => "wave.failed",
        EventKind::Paused => "wave.paused",
        EventKind::Resumed => "wave.resumed",
        EventKind::Cancelled => "wave.cancelled",
    }
}
