//! Published documents, in memory.
//!
//! The engine alone writes; everybody reads. A reader takes the lock for as long
//! as it takes to clone a pointer.

use crate::engine::changes::Changes;
use crate::engine::handle::Listed;
use crate::engine::handle::Published;
use crate::rules::RulesName;
use crate::series::Timestamp;
use crate::wave::WaveId;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::PoisonError;
use std::sync::RwLock;
use std::sync::atomic::AtomicI64;
use std::sync::atomic::Ordering;
use tokio::sync::watch;

/// Every wave in memory.
#[derive(Debug)]
pub(crate) struct Board {
    waves: RwLock<BTreeMap<WaveId, Posted>>,
    changes: Arc<Changes>,
}

/// Why documents are put up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Occasion {
    /// Something happened to the wave.
    News,
    /// The wave is back from the store as it was.
    Return,
}

#[derive(Debug)]
struct Posted {
    wave: watch::Sender<Arc<Published>>,
    gates: BTreeMap<RulesName, watch::Sender<Arc<Published>>>,
    /// When anybody last asked for the wave, in milliseconds.
    asked: AtomicI64,
}

/// What is on the board.
pub(crate) enum Found {
    /// The document.
    Document(watch::Receiver<Arc<Published>>),
    /// The wave, but not the gate.
    NoGate,
    /// Nothing of the wave: it may be in the store.
    NoWave,
}

impl Board {
    /// An empty one, of the process that started at `started`.
    pub(crate) fn new(started: Timestamp) -> Self {
        Self { waves: RwLock::default(), changes: Arc::new(Changes::new(started)) }
    }

    /// Puts documents up; a document that did not change wakes nobody. A wave that is
    /// new on the board counts as asked for at `asked`.
    pub(crate) fn post(
        &self,
        occasion: Occasion,
        id: &WaveId,
        wave: Published,
        gates: Vec<(RulesName, Published)>,
        asked: Timestamp,
    ) {
        let mut waves = self.waves.write().unwrap_or_else(PoisonError::into_inner);
        let shown = waves.get(id).map(|posted| posted.wave.borrow().etag.clone());
        let changed = occasion == Occasion::News && shown.is_none_or(|etag| etag != wave.etag);
        let document = changed.then(|| wave.body.clone());
        let posted = waves.entry(id.clone()).or_insert_with(|| Posted {
            wave: watch::Sender::new(Arc::new(wave.clone())),
            gates: BTreeMap::new(),
            asked: AtomicI64::new(asked.as_millis()),
        });
        show(&posted.wave, wave);
        for (rules, gate) in gates {
            let sender = posted.gates.entry(rules).or_insert_with(|| watch::Sender::new(Arc::new(gate.clone())));
            show(sender, gate);
        }
        if let Some(document) = document {
            self.changes.note(&document);
        }
    }

    /// One document, to read and to watch; asking is remembered.
    pub(crate) fn watch(&self, id: &WaveId, rules: Option<&RulesName>, now: Timestamp) -> Found {
        let waves = self.waves.read().unwrap_or_else(PoisonError::into_inner);
        let Some(posted) = waves.get(id) else { return Found::NoWave };
        posted.asked.fetch_max(now.as_millis(), Ordering::Relaxed);
        let document = match rules {
            Some(rules) => posted.gates.get(rules),
            None => Some(&posted.wave),
        };
        document.map_or(Found::NoGate, |document| Found::Document(document.subscribe()))
    }

    /// The latest changes of every wave.
    pub(crate) fn changes(&self) -> Arc<Changes> {
        Arc::clone(&self.changes)
    }

    /// When anybody last asked for the wave.
    pub(crate) fn asked(&self, id: &WaveId) -> Option<Timestamp> {
        let waves = self.waves.read().unwrap_or_else(PoisonError::into_inner);
        waves.get(id).map(|posted| Timestamp::from_millis(posted.asked.load(Ordering::Relaxed)))
    }

    /// Takes a wave down: it is still in the store.
    pub(crate) fn remove(&self, id: &WaveId) {
        self.waves.write().unwrap_or_else(PoisonError::into_inner).remove(id);
    }

    /// Every wave's document, by id.
    pub(crate) fn list(&self) -> Vec<Listed> {
        let waves = self.waves.read().unwrap_or_else(PoisonError::into_inner);
        let listed =
            |(id, posted): (&WaveId, &Posted)| Listed { wave: id.clone(), published: posted.wave.borrow().clone() };
        waves.iter().map(listed).collect()
    }
}

fn show(sender: &watch::Sender<Arc<Published>>, document: Published) {
    sender.send_if_modified(|shown| {
        let differs = **shown != document;
        if differs {
            *shown = Arc::new(document);
        }
        differs
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wave::Verdict;

    const NOW: Timestamp = Timestamp::from_millis(1_795_341_600_000);

    fn published(etag: &str) -> Published {
        let document =
            r#"{"wave_id":"w","verdict":"pause","state":"held","healthy":false,"settled":true,"summary":"…"}"#;
        Published {
            body: document.into(),
            etag: etag.to_owned(),
            verdict: Verdict::Pause,
            settled: true,
            is_final: false,
            next_look: None,
        }
    }

    #[test]
    fn only_news_is_a_change() {
        let board = Board::new(NOW);
        let wave = WaveId::new("w").unwrap();
        let changes = |occasion, document| {
            board.post(occasion, &wave, document, Vec::new(), NOW);
            *board.changes().latest().borrow()
        };
        assert_eq!(changes(Occasion::Return, published("\"1.1\"")), 0);
        assert_eq!(changes(Occasion::News, published("\"1.1\"")), 0);
        assert_eq!(changes(Occasion::News, published("\"1.2\"")), 1);
        // Another next look is nothing that a follower reads.
        assert_eq!(changes(Occasion::News, Published { next_look: Some(NOW), ..published("\"1.2\"") }), 1);
        board.remove(&wave);
        assert_eq!(changes(Occasion::News, published("\"2.1\"")), 2);
    }
}
