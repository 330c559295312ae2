//! Published documents, in memory.
//!
//! The engine alone writes; everybody reads. A reader takes the lock for as long
//! as it takes to clone a pointer.

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
#[derive(Debug, Default)]
pub(crate) struct Board {
    waves: RwLock<BTreeMap<WaveId, Posted>>,
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
    /// Puts documents up; a document that did not change wakes nobody. A wave that is
    /// new on the board counts as asked for at `asked`.
    pub(crate) fn post(&self, id: &WaveId, wave: Published, gates: Vec<(RulesName, Published)>, asked: Timestamp) {
        let mut waves = self.waves.write().unwrap_or_else(PoisonError::into_inner);
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
