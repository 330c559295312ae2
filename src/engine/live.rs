//! One wave in memory: its values, and what the loop needs to move it on.

use crate::engine::advance::gate_of;
use crate::engine::board::Board;
use crate::engine::board::Occasion;
use crate::engine::book::BookEntry;
use crate::engine::book::BookError;
use crate::engine::handle::Published;
use crate::judge;
use crate::judge::State;
use crate::judge::Timing;
use crate::rules::RuleFile;
use crate::rules::RulesName;
use crate::series::IntervalEvidence;
use crate::series::Timestamp;
use crate::series::Window;
use crate::store::Change;
use crate::store::StoredGate;
use crate::store::StoredWave;
use crate::wave;
use crate::wave::Gate;
use crate::wave::GateState;
use crate::wave::Wave;
use crate::wire;
use crate::wire::Standing;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Intervals asked of a source at once: an hour at 15 s in four questions, and an
/// answer that still fits the source's limits.
pub(crate) const WINDOWS_MAX: u32 = 64;

/// Shortest and longest pause after a source did not answer.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(1));

/// How long a source is left alone that did not answer after `failures` others.
pub(super) fn pause_after(failures: u32) -> Duration {
    RETRY.1.min(RETRY.0 * 2u32.saturating_pow(failures.min(6)))
}

/// One wave with everything needed to move it on.
#[derive(Clone, Debug)]
pub(crate) struct LiveWave {
    pub(crate) wave: Wave,
    pub(crate) gates: BTreeMap<RulesName, LiveGate>,
}

/// What a gate needs beside its values.
#[derive(Clone, Debug)]
pub(crate) struct LiveGate {
    pub(crate) entry: Arc<BookEntry>,
    /// `None` until the gate is timed.
    pub(crate) state: Option<State>,
    /// The published document.
    pub(crate) document: Arc<str>,
    /// A fetch is under way.
    pub(crate) busy: bool,
    /// Where the gate stands in the queue.
    pub(crate) queued: Option<Timestamp>,
    /// Attempts in a row that the source did not answer, and when to try again.
    pub(crate) failures: u32,
    pub(crate) retry_at: Option<Timestamp>,
}

/// What a gate wants of its source.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Wanted {
    /// The scrape interval.
    Survey,
    /// The evidence of these consecutive windows.
    Evidence(Vec<Window>),
}

impl LiveGate {
    pub(crate) fn new(entry: Arc<BookEntry>, document: &str) -> Self {
        Self { entry, state: None, document: document.into(), busy: false, queued: None, failures: 0, retry_at: None }
    }

    /// When the gate next wants something; `None` when it is final, busy, or out of looks.
    pub(crate) fn due(&self, gate: &Gate) -> Option<Timestamp> {
        if gate.state.is_final() || self.busy {
            return None;
        }
        let wanted_at = match &gate.timing {
            None => gate.start,
            Some(timing) if gate.judged < timing.last() => timing.window(gate.judged + 1).to + self.settle(),
            Some(_) => return None,
        };
        Some(self.retry_at.map_or(wanted_at, |retry| retry.max(wanted_at)))
    }

    /// What it wants at `now`, once it is due.
    pub(crate) fn wanted(&self, gate: &Gate, now: Timestamp) -> Wanted {
        let Some(timing) = &gate.timing else {
            return Wanted::Survey;
        };
        let last = timing.last_by(now - self.settle()).min(gate.judged + WINDOWS_MAX);
        Wanted::Evidence((gate.judged + 1..=last).map(|index| timing.window(index)).collect())
    }

    /// When a gate whose looks are undone gives up waiting for its source: at the
    /// deadline and the settling time; a wave judged in hindsight waits as long as it
    /// would have lasted.
    pub(crate) fn expires(&self, gate: &Gate) -> Timestamp {
        let schedule = &self.entry.rules.schedule;
        let deadline = gate
            .timing
            .map_or_else(|| gate.deadline.unwrap_or(gate.start + schedule.deadline), |timing: Timing| timing.deadline);
        let hindsight = deadline <= gate.opened_at;
        let end = if hindsight { gate.opened_at + deadline.since(gate.start) } else { deadline };
        end + self.settle()
    }

    /// Notes that the source did not answer, and waits longer each time.
    pub(crate) fn failed(&mut self, now: Timestamp) {
        self.retry_at = Some(now + pause_after(self.failures));
        self.failures = self.failures.saturating_add(1);
    }

    /// Notes that it did.
    pub(crate) fn answered(&mut self) {
        self.failures = 0;
        self.retry_at = None;
    }

    /// When the gate can next change by itself: the samples of a look need time to arrive.
    fn next_look(&self, gate: &Gate) -> Option<Timestamp> {
        let Some(timing) = gate.timing.filter(|_| !gate.state.is_final()) else {
            return (gate.state == GateState::Scheduled).then_some(gate.start);
        };
        (gate.judged < timing.last()).then(|| timing.window(gate.judged + 1).to + self.settle())
    }

    fn settle(&self) -> Duration {
        self.entry.rules.schedule.settle
    }
}

impl LiveWave {
    /// The wave as it was left: what the judge remembers is made again from the evidence.
    /// An error where a rule file that was in force is refused now.
    pub(crate) fn restored(stored: StoredWave) -> Result<Self, BookError> {
        let wave = Wave { id: stored.id, rollout: stored.rollout, gates: Vec::new() };
        let mut live = Self { wave, gates: BTreeMap::new() };
        for StoredGate { mut gate, rules_text, evidence, document } in stored.gates {
            let mut own = LiveGate::new(BookEntry::parse(&gate.rules, rules_text)?, &document);
            if let (Some(timing), false) = (gate.timing, gate.state.is_final()) {
                let rules = &own.entry.rules;
                let until = evidence.last().map_or(gate.start, |interval| interval.window.to);
                let (state, judgement) = judge::judge(rules, &begun(rules, timing, &gate), &evidence, until);
                gate.judgement = (0 < state.judged()).then_some(judgement);
                own.state = Some(state);
                wave::restore(&mut gate, until);
            } else if gate.timing.is_none() {
                let revised = gate.revised_at;
                wave::restore(&mut gate, revised);
            }
            live.gates.insert(gate.rules.clone(), own);
            live.wave.gates.push(gate);
        }
        Ok(live)
    }

    /// Makes the last judgement of a final gate again from its evidence: a gate that
    /// comes back from the store has none, and a person's word stands beside numbers.
    pub(crate) fn recollect(&mut self, rules: &RulesName, evidence: &[IntervalEvidence]) {
        let gate = self.wave.gates.iter_mut().find(|gate| gate.rules == *rules);
        let (Some(gate), Some(own), Some(last)) = (gate, self.gates.get(rules), evidence.last()) else { return };
        if let Some(timing) = gate.timing.filter(|_| u32::try_from(evidence.len()) == Ok(gate.judged)) {
            let rules = &own.entry.rules;
            let (_, judgement) = judge::judge(rules, &begun(rules, timing, gate), evidence, last.window.to);
            gate.judgement = Some(judgement);
        }
    }

    /// Takes the documents over that `changes` published.
    pub(crate) fn take_documents(&mut self, changes: &[Change]) {
        for change in changes {
            if let (Some(document), Some(own)) = (&change.document, self.gates.get_mut(&change.gate.rules)) {
                own.document = document.as_str().into();
            }
        }
    }

    /// Puts the wave and its gates on the board.
    pub(crate) fn show(&self, board: &Board, occasion: Occasion, asked: Timestamp) {
        let gate = |gate: &Gate| Some((gate.rules.clone(), published_gate(gate, self.gates.get(&gate.rules)?)));
        let gates = self.wave.gates.iter().filter_map(gate).collect();
        board.post(occasion, &self.wave.id, self.published(), gates, asked);
    }

    /// The wave's document as it goes on the board.
    pub(crate) fn published(&self) -> Published {
        let tags: Vec<String> = self.wave.gates.iter().map(tag).collect();
        let documents: Vec<&str> =
            self.wave.gates.iter().filter_map(|gate| Some(&*self.gates.get(&gate.rules)?.document)).collect();
        let standing = Standing::of_wave(&self.wave);
        Published {
            etag: format!("\"{}\"", tags.join("-")),
            body: wire::wave_document(&self.wave, &documents).into(),
            verdict: standing.verdict,
            settled: standing.settled(),
            is_final: standing.is_final(),
            next_look: self.next_look(),
        }
    }

    fn next_look(&self) -> Option<Timestamp> {
        self.wave.gates.iter().filter_map(|gate| self.gates.get(&gate.rules)?.next_look(gate)).min()
    }

    /// The gate's values.
    pub(crate) fn gate(&self, rules: &RulesName) -> Option<&Gate> {
        gate_of(&self.wave, rules)
    }

    /// Whether every gate is final and was opened and last revised before `then`.
    pub(crate) fn is_over_since(&self, then: Timestamp) -> bool {
        self.wave.gates.iter().all(|gate| gate.state.is_final() && gate.opened_at.max(gate.revised_at) < then)
    }
}

/// What the judge remembers of a gate that has judged nothing.
fn begun(rules: &RuleFile, timing: Timing, gate: &Gate) -> State {
    State::new(rules, timing).of_class(gate.class)
}

fn published_gate(gate: &Gate, own: &LiveGate) -> Published {
    let standing = Standing::of_gate(gate);
    Published {
        etag: format!("\"{}\"", tag(gate)),
        body: own.document.to_string().into(),
        verdict: standing.verdict,
        settled: standing.settled(),
        is_final: standing.is_final(),
        next_look: own.next_look(gate),
    }
}

/// What changes whenever the gate's document does.
fn tag(gate: &Gate) -> String {
    format!("{}.{}", gate.attempt, gate.revision)
}
