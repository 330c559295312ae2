//! The engine's front door for everybody else.
//!
//! Reads are answered from memory: a published document is made once, when it
//! changes, and handed out as shared bytes.

use crate::engine::board::Board;
use crate::engine::board::Found;
use crate::engine::book::RuleBook;
use crate::engine::budgets::AccountView;
use crate::engine::budgets::Budgets;
use crate::engine::changes::Changes;
use crate::engine::clock::Clock;
use crate::engine::record::recording_of;
use crate::engine::shelf::Shelf;
use crate::engine::shelf::Shelves;
use crate::engine::shelf::Trouble;
use crate::rules::Class;
use crate::rules::RulesName;
use crate::rules::SloName;
use crate::series::Timestamp;
use crate::sources::recording;
use crate::store;
use crate::store::Store;
use crate::store::StoredGate;
use crate::store::StoredWave;
use crate::telemetry::Chain;
use crate::wave::Verdict;
use crate::wave::Wave;
use crate::wave::WaveId;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use tokio::sync::mpsc;
use tokio::sync::oneshot;
use tokio::sync::watch;

/// Cheap to clone; every clone talks to the one engine.
#[derive(Clone)]
pub struct Handle {
    commands: mpsc::Sender<Command>,
    board: Arc<Board>,
    store: Arc<dyn Store>,
    readiness: Arc<Mutex<Readiness>>,
    shelves: Arc<Shelves>,
    budgets: Arc<Budgets>,
    clock: Clock,
}

/// Opens gates of a wave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Open {
    /// The wave.
    pub wave: WaveId,
    /// One or more rule files.
    pub rules: Vec<RulesName>,
    /// What `$baseline` stands for.
    pub baseline: Option<String>,
    /// Params, each of at least one of the rule files.
    pub params: BTreeMap<String, String>,
    /// The caller's name for this attempt.
    pub run: Option<String>,
    /// The rollout the wave belongs to.
    pub rollout: Option<String>,
    /// What kind of change the wave brings, where the caller says so.
    pub class: Option<Class>,
    /// The start of the wave, if not now.
    pub start: Option<Timestamp>,
    /// A deadline other than the rule file's.
    pub deadline: Option<Timestamp>,
    /// Nobody asked: the wave was found in its source.
    pub discovered: bool,
}

/// A document that has been published.
#[derive(Clone, Debug, PartialEq)]
pub struct Published {
    /// JSON.
    pub body: bytes::Bytes,
    /// A strong entity tag, with its quotes.
    pub etag: String,
    /// Pass, fail or pause.
    pub verdict: Verdict,
    /// Held, decided or cancelled.
    pub settled: bool,
    /// Decided or cancelled.
    pub is_final: bool,
    /// When something can next change by itself.
    pub next_look: Option<Timestamp>,
}

/// Why the engine would not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// 404
    #[error("there is no wave `{wave}`")]
    NoSuchWave {
        /// As asked.
        wave: String,
    },
    /// 404
    #[error("wave `{wave}` has no gate `{rules}`")]
    NoSuchGate {
        /// As asked.
        wave: String,
        /// As asked.
        rules: String,
    },
    /// 410: the evidence was there and is not kept any more.
    #[error(
        "the evidence of gate `{rules}` of wave `{wave}` is not kept any more: `retention.evidence_days` of the store is over; record its past from the source"
    )]
    Forgotten {
        /// As asked.
        wave: String,
        /// As asked.
        rules: String,
    },
    /// 422 at `/rules` or `/rules/{index}`
    #[error("there are no rules `{name}`; loaded are: {known}")]
    UnknownRules {
        /// As asked.
        name: String,
        /// Its place in the request.
        index: usize,
        /// What is loaded, comma separated.
        known: String,
    },
    /// 422 at `pointer`
    #[error("{message}")]
    Unusable {
        /// JSON pointer to the field.
        pointer: String,
        /// What is wrong and how to mend it.
        message: String,
    },
    /// 409 at `pointer`
    #[error("{message}")]
    Contradiction {
        /// JSON pointer to the field.
        pointer: String,
        /// What is open and what was asked.
        message: String,
    },
    /// 409: more than one gate, and none was named; or a gate that cannot take this word.
    #[error("{message}")]
    Ambiguous {
        /// What to do.
        message: String,
    },
    /// 503 with Retry-After
    #[error("wavegate is shutting down")]
    Draining,
    /// 503 with Retry-After
    #[error("the store does not take writes: {message}")]
    StoreUnavailable {
        /// Why.
        message: String,
    },
    /// 503 with Retry-After: too many open gates.
    #[error("{open} gates are open, the limit is {limit}")]
    Full {
        /// How many are open.
        open: usize,
        /// How many may be.
        limit: usize,
    },
}

/// A person's word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// Pass or fail, or `None` to cancel.
    pub verdict: Option<Verdict>,
    /// Who.
    pub by: String,
    /// Why.
    pub why: String,
}

/// Somebody's word that what a gate requires is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attest {
    /// One of what the gate requires.
    pub name: String,
    /// Who.
    pub by: String,
    /// For people.
    pub note: Option<String>,
    /// Where it can be seen.
    pub url: Option<String>,
}

/// What `/readyz` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Readiness {
    /// Check name, and what is wrong with it if anything.
    pub checks: Vec<(&'static str, Option<String>)>,
    /// What somebody should look at although work is taken.
    pub remarks: Vec<(&'static str, String)>,
}

/// One line of the list of waves.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    /// The wave.
    pub wave: WaveId,
    /// Its document.
    pub published: Arc<Published>,
}

impl Handle {
    pub(super) fn new(
        commands: mpsc::Sender<Command>,
        store: Arc<dyn Store>,
        (board, readiness, shelves): (Arc<Board>, Arc<Mutex<Readiness>>, Arc<Shelves>),
        budgets: Arc<Budgets>,
        clock: Clock,
    ) -> Self {
        Self { commands, board, store, readiness, shelves, budgets, clock }
    }

    /// Opens the gates that are not open and answers with the wave.
    pub async fn open(&self, open: Open) -> Result<Arc<Published>, Refusal> {
        self.ask(|reply| Command::Open(open, reply)).await?
    }

    /// A person decides a held gate, overrides a failed one, or cancels.
    /// `rules` may be left out where the wave has one gate.
    pub async fn word(&self, wave: &WaveId, rules: Option<&RulesName>, word: Word) -> Result<Arc<Published>, Refusal> {
        self.ask(|reply| Command::Word(wave.clone(), rules.cloned(), word, reply)).await?
    }

    /// Attests what a gate requires before it may pass; the same again changes nothing.
    /// `rules` may be left out where the wave has one gate.
    pub async fn attest(
        &self,
        wave: &WaveId,
        rules: Option<&RulesName>,
        attest: Attest,
    ) -> Result<Arc<Published>, Refusal> {
        self.ask(|reply| Command::Attest(wave.clone(), rules.cloned(), attest, reply)).await?
    }

    /// The wave's document, or one gate's, to read now and to watch: from memory,
    /// else from the store.
    pub async fn watch(
        &self,
        wave: &WaveId,
        rules: Option<&RulesName>,
    ) -> Result<watch::Receiver<Arc<Published>>, Refusal> {
        let mut found = self.board.watch(wave, rules, self.clock.now());
        if let Found::NoWave = found {
            // Waves that have been over for long are only in the store. Whether it is there
            // is found out here: who polls for what is not must not keep the loop busy.
            let known = self.store.wave(wave).await.map_err(unavailable)?;
            known.ok_or_else(|| Refusal::NoSuchWave { wave: wave.to_string() })?;
            self.ask(|reply| Command::Recall(wave.clone(), reply)).await??;
            found = self.board.watch(wave, rules, self.clock.now());
        }
        match (found, rules) {
            (Found::Document(receiver), _) => Ok(receiver),
            (Found::NoGate, Some(rules)) => {
                Err(Refusal::NoSuchGate { wave: wave.to_string(), rules: rules.to_string() })
            }
            (Found::NoGate, None) | (Found::NoWave, _) => Err(Refusal::NoSuchWave { wave: wave.to_string() }),
        }
    }

    /// The document of an earlier attempt or revision; `None` where there is none.
    pub async fn archived(
        &self,
        wave: &WaveId,
        rules: &RulesName,
        attempt: u32,
        revision: Option<u32>,
    ) -> Result<Option<String>, Refusal> {
        let found = self.store.document(wave, rules, attempt, revision).await;
        found.map_err(unavailable)
    }

    /// The recording of the latest attempt of a gate, as the bytes of a file: its
    /// evidence as long as the store keeps it, without answers of the source.
    pub async fn recording(&self, wave: &WaveId, rules: &RulesName) -> Result<Vec<u8>, Refusal> {
        let stored = self.store.wave(wave).await.map_err(unavailable)?;
        let StoredWave { id, rollout, gates } = stored.ok_or_else(|| Refusal::NoSuchWave { wave: wave.to_string() })?;
        let own = gates.into_iter().find(|stored| stored.gate.rules == *rules);
        let own = own.ok_or_else(|| Refusal::NoSuchGate { wave: wave.to_string(), rules: rules.to_string() })?;
        let StoredGate { gate, rules_text, mut evidence, document } = own;
        if gate.state.is_final() {
            evidence = self.store.evidence(wave, rules, gate.attempt).await.map_err(unavailable)?;
        }
        if u32::try_from(evidence.len()) != Ok(gate.judged) {
            return Err(Refusal::Forgotten { wave: wave.to_string(), rules: rules.to_string() });
        }
        let wave = Wave { id, rollout, gates: vec![gate] };
        let recording = recording_of(&wave, &wave.gates[0], &rules_text, evidence, document);
        // A day's evidence takes a moment to compress, in which others want to be answered.
        let packed = tokio::task::spawn_blocking(move || recording::pack(&recording)).await;
        match packed {
            Ok(Ok(packed)) => Ok(packed),
            Ok(Err(error)) => Err(Refusal::StoreUnavailable { message: Chain(&error).to_string() }),
            Err(_) => Err(Refusal::Draining),
        }
    }

    /// Puts another book of rules in force for gates opened from now on.
    pub async fn reload(&self, book: RuleBook) -> Result<(), Refusal> {
        self.ask(|reply| Command::Reload(book, reply)).await
    }

    /// Tells whoever asks that the rules on disk were refused; those in force stay.
    pub fn reload_refused(&self, trouble: Trouble) {
        self.shelves.refuse(trouble, self.clock.now());
    }

    /// The rule files in force, and how the last reload went.
    pub fn rules(&self) -> Arc<Shelf> {
        self.shelves.get()
    }

    /// The accounts of every SLO in force, by name, as they stand.
    pub fn accounts(&self) -> Vec<Arc<AccountView>> {
        self.budgets.accounts()
    }

    /// The account of one SLO; `None` where none of that name is in force.
    pub fn account(&self, name: &SloName) -> Option<Arc<AccountView>> {
        self.budgets.account(name)
    }

    /// Who keeps the accounts: [`Budgets::keep`] is a task of its own.
    pub fn budgets(&self) -> Arc<Budgets> {
        Arc::clone(&self.budgets)
    }

    /// Waves in memory, ordered by id.
    pub fn waves(&self) -> Vec<Listed> {
        self.board.list()
    }

    /// The latest changes of every wave, to follow.
    pub fn changes(&self) -> Arc<Changes> {
        self.board.changes()
    }

    /// Whether new work is taken, check by check.
    pub fn readiness(&self) -> Readiness {
        let mut readiness = self.readiness.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let stopped = self.commands.is_closed().then(|| "the engine has stopped".to_owned());
        readiness.checks.push(("engine", stopped));
        let loaded = self.rules();
        let last = loaded.last_reload();
        if let Some(Trouble { message, .. }) = &last.trouble {
            let digest = loaded.digest();
            let remark = format!("reload failed at {}: {message}; still running {}", last.at, digest.as_str());
            readiness.remarks.push(("rules", remark));
        }
        for account in self.accounts() {
            if let Some(trouble) = &account.upkeep.trouble {
                readiness
                    .remarks
                    .push(("slos", format!("the error budget of `{}` is not known: {trouble}", account.slo.name)));
            }
        }
        readiness
    }

    async fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> Result<T, Refusal> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(command(reply)).await.map_err(|_| Refusal::Draining)?;
        answer.await.map_err(|_| Refusal::Draining)
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
pub(crate) fn unavailable(error: store::Error) -> Refusal {
    Refusal::StoreUnavailable { message: Chain(&error).to_string() }
}

/// What the loop is asked, with where to answer.
pub(crate) enum Command {
    /// See [`Handle::open`].
    Open(Open, oneshot::Sender<Result<Arc<Published>, Refusal>>),
    /// See [`Handle::word`].
    Word(WaveId, Option<RulesName>, Word, oneshot::Sender<Result<Arc<Published>, Refusal>>),
    /// See [`Handle::attest`].
    Attest(WaveId, Option<RulesName>, Attest, oneshot::Sender<Result<Arc<Published>, Refusal>>),
    /// Takes a wave from the store onto the board, if it is there.
    Recall(WaveId, oneshot::Sender<Result<(), Refusal>>),
    /// See [`Handle::reload`].
    Reload(RuleBook, oneshot::Sender<()>),
}
