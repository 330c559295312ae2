//! One gate in hindsight: looks, and what happens between them, in the order of time.

use crate::engine::advance;
use crate::engine::advance::Advanced;
use crate::judge::State;
use crate::rules::RuleFile;
use crate::series::IntervalEvidence;
use crate::series::Timestamp;
use crate::store::Change;
use crate::wave::Event;
use crate::wave::Wave;
use crate::wire;
use std::collections::VecDeque;

/// The gate of a wave on its way again. It is the only one of its wave.
pub(super) struct Hindsight<'a> {
    rules: &'a RuleFile,
    pub(super) wave: Wave,
    /// As it was last published.
    pub(super) document: String,
    /// What happens beside the looks and is still to come, by time.
    words: VecDeque<(Timestamp, Event)>,
    /// When somebody wants to know what stood.
    moments: &'a [Timestamp],
    /// What stood at the first of them.
    stood: Vec<String>,
}

impl<'a> Hindsight<'a> {
    /// The gate as it was opened. `words` come as their time does; `moments` do not decrease.
    pub(super) fn of(
        rules: &'a RuleFile,
        wave: Wave,
        mut words: Vec<(Timestamp, Event)>,
        moments: &'a [Timestamp],
    ) -> Self {
        words.sort_by_key(|(at, _)| *at);
        let document = wire::gate_document(&wave, &wave.gates[0]);
        Self { rules, wave, document, words: words.into(), moments, stood: Vec::new() }
    }

    /// What `event` makes of the gate.
    pub(super) fn apply(&mut self, event: Event, now: Timestamp) -> Option<Change> {
        let (wave, change) = advance::apply(&self.wave, &self.rules.name, event, now);
        self.wave = wave;
        change.inspect(|change| self.publish(change))
    }

    /// The looks of `evidence`, with every word before that which it may count for.
    pub(super) fn advance(&mut self, mut state: State, evidence: Vec<IntervalEvidence>) -> (State, Vec<Change>) {
        let mut changes = Vec::new();
        let mut left = evidence.into_iter().peekable();
        while let Some(first) = left.peek() {
            changes.extend(self.words_until(Some(first.window.to)));
            let next = self.words.front().map(|(at, _)| *at);
            let mut run = Vec::new();
            while let Some(interval) = left.next_if(|one| next.is_none_or(|next| one.window.to < next)) {
                run.push(interval);
            }
            let Advanced { wave, state: after, changes: looks } = advance(&self.wave, self.rules, &state, run);
            (self.wave, state) = (wave, after);
            for change in &looks {
                self.publish(change);
            }
            changes.extend(looks);
        }
        (state, changes)
    }

    /// The words up to `until`, or all that are left.
    pub(super) fn words_until(&mut self, until: Option<Timestamp>) -> Vec<Change> {
        let mut changes = Vec::new();
        while let Some((at, event)) = self.words.pop_front_if(|(at, _)| until.is_none_or(|until| *at <= until)) {
            changes.extend(self.apply(event, at));
        }
        changes
    }

    /// What stood at each moment, with what it came to.
    pub(super) fn stood(mut self) -> Vec<String> {
        self.stand_until(None);
        self.stood
    }

    fn publish(&mut self, change: &Change) {
        if let Some(document) = &change.document {
            self.stand_until(Some(change.gate.revised_at));
            self.document.clone_from(document);
        }
    }

    /// The document stood until `revised`, or to the end: at every moment before.
    fn stand_until(&mut self, revised: Option<Timestamp>) {
        while let Some(moment) = self.moments.get(self.stood.len())
            && revised.is_none_or(|revised| *moment < revised)
        {
            self.stood.push(self.document.clone());
        }
    }
}
