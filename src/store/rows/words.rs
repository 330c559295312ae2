//! The glossary's words for states, verdicts and events.

use crate::wave::EventKind;
use crate::wave::GateState;
use crate::wave::Verdict;

const STATES: [GateState; 6] = [
    GateState::Scheduled,
    GateState::WarmingUp,
    GateState::Analyzing,
    GateState::Held,
    GateState::Decided,
    GateState::Cancelled,
];

const VERDICTS: [Verdict; 3] = [Verdict::Pass, Verdict::Fail, Verdict::Pause];

pub(super) fn state_word(state: GateState) -> &'static str {
    match state {
        GateState::Scheduled => "scheduled",
        GateState::WarmingUp => "warming_up",
        GateState::Analyzing => "analyzing",
        GateState::Held => "held",
        GateState::Decided => "decided",
        GateState::Cancelled => "cancelled",
    }
}

pub(super) fn state_named(word: &str) -> Option<GateState> {
    STATES.into_iter().find(|state| state_word(*state) == word)
}

pub(super) fn verdict_word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "pass",
        Verdict::Fail => "fail",
        Verdict::Pause => "pause",
    }
}

pub(super) fn verdict_named(word: &str) -> Option<Verdict> {
    VERDICTS.into_iter().find(|verdict| verdict_word(*verdict) == word)
}

/// The event's type as webhook consumers know it.
pub(in crate::store) fn event_word(kind: EventKind) -> &'static str {
    match kind {
        EventKind::Opened => "wave.opened",
        EventKind::Passed => "wave.passed",
        EventKind::Failed => "wave.failed",
        EventKind::Paused => "wave.paused",
        EventKind::Resumed => "wave.resumed",
        EventKind::Cancelled => "wave.cancelled",
    }
}

pub(in crate::store) fn event_named(word: &str) -> Option<EventKind> {
    EventKind::ALL.into_iter().find(|kind| event_word(*kind) == word)
}
