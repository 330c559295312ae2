//! Where a gate or a wave stands, in the few words that a caller acts on.

use crate::series::Timestamp;
use crate::wave::Gate;
use crate::wave::GateState;
use crate::wave::Verdict;
use crate::wave::Wave;
use std::cmp::Reverse;

/// What a poll needs to know of a document without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Go on, stop, or do not go on.
    pub verdict: Verdict,
    /// Of the gate; of the wave, that of its least finished gate.
    pub state: GateState,
    /// False while blind or on a shared incident, and when held, failed or cancelled.
    pub healthy: bool,
    /// The next look that can change it; `None` where nothing changes by itself.
    pub next_evaluation_at: Option<Timestamp>,
    /// A gate that only observes goes on looking: what it says is settled, and not final.
    observing: bool,
}

impl Standing {
    /// Of one gate. Only a decided gate says anything but `pause`, and one that observes,
    /// which says `pass` from the beginning and is neither waited for nor a worry.
    pub fn of_gate(gate: &Gate) -> Self {
        if gate.would.is_some() {
            let state = if gate.state == GateState::Cancelled { gate.state } else { GateState::Decided };
            let (verdict, observing) = (Verdict::Pass, !gate.state.is_final());
            return Self { verdict, state, healthy: true, next_evaluation_at: next_evaluation(gate), observing };
        }
        Self::of_enforced(gate)
    }

    /// What a gate that observes would say were it obeyed; `None` of one that is.
    pub(crate) fn that_would(gate: &Gate) -> Option<Self> {
        gate.would.map(|_| Self::of_enforced(&gate.as_enforced()))
    }

    fn of_enforced(gate: &Gate) -> Self {
        let verdict = if gate.state == GateState::Decided { gate.verdict } else { Verdict::Pause };
        let calm = match gate.state {
            GateState::Held | GateState::Cancelled => false,
            GateState::Decided => verdict == Verdict::Pass,
            GateState::Scheduled | GateState::WarmingUp | GateState::Analyzing => true,
        };
        // A word of a person settles a gate, whatever the looks before it said.
        let seen = gate.decision.is_some() || gate.judgement.as_ref().is_none_or(|judgement| judgement.healthy);
        let blind = gate.outage.is_some() && !gate.state.is_final();
        Self {
            verdict,
            state: gate.state,
            healthy: calm && seen && !blind,
            next_evaluation_at: next_evaluation(gate),
            observing: false,
        }
    }

    /// Of a wave: the worst verdict of its gates (fail, then pause, then pass). One
    /// decided `fail` decides the wave; else its state is that of the least
    /// finished gate. Healthy when all are.
    pub fn of_wave(wave: &Wave) -> Self {
        let gates: Vec<Self> = wave.gates.iter().map(Self::of_gate).collect();
        let verdict = gates.iter().map(|gate| gate.verdict).max_by_key(|verdict| gravity(*verdict));
        let verdict = verdict.unwrap_or(Verdict::Pause);
        let least = gates.iter().map(|gate| gate.state).min_by_key(|state| finish(*state));
        let state = match verdict {
            Verdict::Fail => GateState::Decided,
            Verdict::Pass | Verdict::Pause => least.unwrap_or(GateState::Scheduled),
        };
        Self {
            verdict,
            state,
            healthy: verdict != Verdict::Fail && gates.iter().all(|gate| gate.healthy),
            next_evaluation_at: gates.iter().filter_map(|gate| gate.next_evaluation_at).min(),
            observing: verdict != Verdict::Fail && gates.iter().any(|gate| gate.observing),
        }
    }

    /// Held, decided or cancelled.
    pub fn settled(self) -> bool {
        self.state.is_settled()
    }

    /// Decided or cancelled, and nothing is observed any more.
    pub fn is_final(self) -> bool {
        self.state.is_final() && !self.observing
    }

    /// Sorts the gravest first: failed, then not healthy, then least finished.
    pub(crate) fn gravest_first(self) -> impl Ord {
        (Reverse(gravity(self.verdict)), self.healthy, finish(self.state))
    }
}

/// How bad a verdict is.
fn gravity(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Pass => 0,
        Verdict::Pause => 1,
        Verdict::Fail => 2,
    }
}

/// How far a state is from the end. A cancelled gate comes before a decided one:
/// a wave with both says `pause`, and its state must say why.
fn finish(state: GateState) -> u8 {
    match state {
        GateState::Scheduled => 0,
        GateState::WarmingUp => 1,
        GateState::Analyzing => 2,
        GateState::Held => 3,
        GateState::Cancelled => 4,
        GateState::Decided => 5,
    }
}

/// The end of the next interval: the grid, not the moment its samples are in.
fn next_evaluation(gate: &Gate) -> Option<Timestamp> {
    if gate.state.is_final() {
        return None;
    }
    match &gate.timing {
        None => (gate.state == GateState::Scheduled).then_some(gate.start),
        Some(timing) => (gate.judged < timing.last()).then(|| timing.window(gate.judged + 1).to),
    }
}
