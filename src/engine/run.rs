//! The loop: one task owns every wave; everything that happens to it is one [`Wakeup`].
//!
//! Fetches run beside it, bounded; judging and stepping are microseconds and run
//! in it. What a wakeup changes is committed before anybody sees it, so a verdict
//! that was read survives the process.

use crate::engine::advance;
use crate::engine::board::Board;
use crate::engine::board::Occasion;
use crate::engine::book::BookEntry;
use crate::engine::book::BookError;
use crate::engine::book::RuleBook;
use crate::engine::budgets::Budgets;
use crate::engine::clock::Clock;
use crate::engine::fetch::Fetched;
use crate::engine::fetch::bring;
use crate::engine::fetch::digest;
use crate::engine::fetch::source_of;
use crate::engine::handle::Command;
use crate::engine::handle::Handle;
use crate::engine::handle::Readiness;
use crate::engine::live::LiveWave;
use crate::engine::settings::Settings;
use crate::engine::shelf::Shelves;
use crate::rules::RulesName;
use crate::series::Timestamp;
use crate::sources;
use crate::sources::Source;
use crate::sources::probe::Prober;
use crate::store;
use crate::store::Change;
use crate::store::Store;
use crate::store::StoredWave;
use crate::telemetry::Chain;
use crate::telemetry::Metrics;
use crate::wave::WaveId;
use crate::wire;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

/// How long final waves stay in memory after their last revision.
const MEMORY: Duration = Duration::from_hours(24);

/// How often memory is looked through and the store pruned.
const HOUSEKEEPING: Duration = Duration::from_hours(1);

/// How often a store that could not write is tried again, where no commit does.
const PROBE: Duration = Duration::from_secs(15);

/// Requests that wait for the loop; a further one waits in its own task.
const COMMANDS_MAX: usize = 256;

/// Fetches taken together into one commit: a disk flush costs the same for one as for many.
const BATCH_MAX: usize = 64;

/// What the engine is built of.
pub struct Parts {
    /// What time it is.
    pub clock: Clock,
    /// Where gates are kept.
    pub store: Arc<dyn Store>,
    /// By name.
    pub sources: BTreeMap<String, Arc<dyn Source>>,
    /// Requests what probes ask for.
    pub prober: Arc<Prober>,
    /// The rule files in force.
    pub book: RuleBook,
    /// Limits.
    pub settings: Settings,
    /// Own metrics.
    pub metrics: Arc<Metrics>,
}

/// Everything that can wake the loop; nothing else can.
enum Wakeup {
    /// Somebody asked.
    Command(Command),
    /// A fetch came back.
    Fetched(Joined),
    /// Something is due.
    Due,
    /// Time to tidy up.
    Housekeeping,
    /// Time to see whether the store writes again.
    Probe,
    /// Stop taking work.
    Drain,
}

type Joined = Result<Fetched, tokio::task::JoinError>;

/// The engine; [`Engine::run`] is its loop.
pub struct Engine {
    parts: Parts,
    board: Arc<Board>,
    readiness: Arc<Mutex<Readiness>>,
    shelves: Arc<Shelves>,
    budgets: Arc<Budgets>,
    waves: BTreeMap<WaveId, LiveWave>,
    /// When each gate is next due.
    queue: BTreeSet<(Timestamp, WaveId, RulesName)>,
    fetches: JoinSet<Fetched>,
    /// At most one: the store forgets in batches, and commits go on between them.
    pruning: JoinSet<()>,
    /// The last write failed.
    store_fails: bool,
    commands: mpsc::Receiver<Command>,
}

impl Engine {
    /// Loads what was left and gives back the engine with the handle to it.
    pub async fn start(parts: Parts) -> Result<(Self, Handle), store::Error> {
        let now = parts.clock.now();
        let stored = parts.store.load(now - MEMORY).await?;
        let board = Arc::new(Board::new(now));
        let readiness = Arc::new(Mutex::new(Readiness { checks: vec![("store", None)], remarks: Vec::new() }));
        let (sender, commands) = mpsc::channel(COMMANDS_MAX);
        let shelves = Arc::new(Shelves::new(parts.book.clone(), now));
        let shared = (Arc::clone(&board), Arc::clone(&readiness), Arc::clone(&shelves));
        let (store, sources, metrics) = (Arc::clone(&parts.store), parts.sources.clone(), Arc::clone(&parts.metrics));
        let budgets = Budgets::open(parts.clock, store, sources, metrics, parts.book.slos()).await?;
        let budgets = Arc::new(budgets);
        let handle = Handle::new(sender, Arc::clone(&parts.store), shared, Arc::clone(&budgets), parts.clock);
        let mut engine = Self {
            parts,
            board,
            readiness,
            shelves,
            budgets,
            waves: BTreeMap::new(),
            queue: BTreeSet::new(),
            fetches: JoinSet::new(),
            pruning: JoinSet::new(),
            store_fails: false,
            commands,
        };
        for wave in stored {
            // Nobody knows who asked before: what was told keeps being told for a while.
            // One that cannot go on is named in the log, and again to whoever asks for it.
            drop(engine.restore(wave, now));
        }
        engine.count();
        tracing::info!(waves = engine.waves.len(), rules = engine.parts.book.len(), "engine started");
        Ok((engine, handle))
    }

    /// Runs until `drain` is cancelled; then fetches under way are dropped (the next
    /// start asks again) and everything that was committed stays.
    pub async fn run(mut self, drain: CancellationToken) {
        let mut housekeeping = tokio::time::interval(HOUSEKEEPING);
        let mut probes = tokio::time::interval(PROBE);
        probes.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let room = self.fetches.len() < self.parts.settings.concurrency.get();
            let due = self.queue.first().map(|(at, _, _)| *at).filter(|_| room);
            let clock = self.parts.clock;
            let wakeup = tokio::select! {
                biased;
                () = drain.cancelled() => Wakeup::Drain,
                Some(command) = self.commands.recv() => Wakeup::Command(command),
                Some(first) = self.fetches.join_next() => Wakeup::Fetched(first),
                () = clock.until_due(due) => Wakeup::Due,
                _ = housekeeping.tick() => Wakeup::Housekeeping,
                _ = probes.tick(), if self.store_fails => Wakeup::Probe,
            };
            match wakeup {
                Wakeup::Command(command) => {
                    self.command(command).await;
                    // However many ask, looks go on between one answer and the next.
                    if let Some(first) = self.fetches.try_join_next() {
                        let fetched = self.with_others(first);
                        self.fetched(fetched).await;
                    }
                    self.fetch_due();
                }
                Wakeup::Fetched(first) => {
                    let fetched = self.with_others(first);
                    self.fetched(fetched).await;
                }
                Wakeup::Due => self.fetch_due(),
                Wakeup::Housekeeping => self.tidy(),
                Wakeup::Probe => self.probe().await,
                Wakeup::Drain => break,
            }
        }
        self.fetches.abort_all();
        self.pruning.abort_all();
        tracing::info!("engine drained");
    }

    fn with_others(&mut self, first: Joined) -> Vec<Fetched> {
        let mut joined = vec![first];
        while joined.len() < BATCH_MAX {
            let Some(other) = self.fetches.try_join_next() else { break };
            joined.push(other);
        }
        // A panic in a fetch is a bug: it takes the loop down, and the process in order.
        let whole = |result: Joined| match result {
            Ok(fetched) => Some(fetched),
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_) => None,
        };
        joined.into_iter().filter_map(whole).collect()
    }

    /// Starts a fetch for each gate that is due, as far as there is room.
    fn fetch_due(&mut self) {
        let now = self.parts.clock.now();
        while self.fetches.len() < self.parts.settings.concurrency.get() {
            let Some((at, id, rules)) = self.queue.first().cloned() else { break };
            if now < at {
                break;
            }
            self.queue.pop_first();
            self.fetch(&id, &rules, now);
        }
    }

    fn fetch(&mut self, id: &WaveId, rules: &RulesName, now: Timestamp) {
        let Some(live) = self.waves.get_mut(id) else { return };
        let Some(gate) = advance::gate_of(&live.wave, rules).cloned() else { return };
        let Some(own) = live.gates.get_mut(rules) else { return };
        own.busy = true;
        own.queued = None;
        let wanted = own.wanted(&gate, now);
        let entry = Arc::clone(&own.entry);
        let source = self.source_of(&entry);
        let (wave, rules, attempt) = (id.clone(), rules.clone(), gate.attempt);
        let (metrics, prober) = (Arc::clone(&self.parts.metrics), Arc::clone(&self.parts.prober));
        let budgets = Arc::clone(&self.budgets);
        self.fetches.spawn(async move {
            let brought = match source {
                Ok(source) => {
                    let begun = Instant::now();
                    let brought = bring(source.as_deref(), (&prober, &budgets), &entry, &wave, &gate, wanted).await;
                    let outcome = brought.as_ref().map_or_else(sources::Error::code, |_| "ok");
                    let name = source.as_deref().unwrap_or(&*prober).name();
                    metrics.source_answered(name, outcome, begun.elapsed());
                    brought
                }
                Err(error) => Err(error),
            };
            Fetched { wave, rules, attempt, brought }
        });
    }

    pub(super) fn source_of(&self, entry: &BookEntry) -> Result<Option<Arc<dyn Source>>, sources::Error> {
        source_of(&self.parts.sources, entry)
    }

    /// Judges what came back, commits it all at once, and shows it.
    async fn fetched(&mut self, fetched: Vec<Fetched>) {
        let now = self.parts.clock.now();
        let mut touched: BTreeMap<WaveId, (LiveWave, Vec<Change>)> = BTreeMap::new();
        for one in fetched {
            let Some(current) = touched.get(&one.wave).map(|(live, _)| live).or_else(|| self.waves.get(&one.wave))
            else {
                continue;
            };
            // A newer attempt took the gate over while its predecessor's fetch was under way.
            if current.gate(&one.rules).is_none_or(|gate| gate.attempt != one.attempt) {
                continue;
            }
            let mut live = current.clone();
            let own = digest(&mut live, &one.rules, one.brought, now);
            live.take_documents(&own);
            let (kept, changes) = touched.entry(one.wave).or_insert_with(|| (live.clone(), Vec::new()));
            *kept = live;
            changes.extend(own);
        }
        let touched: Vec<(LiveWave, Vec<Change>)> = touched.into_values().collect();
        if let Err(touched) = self.settle(touched, now).await {
            // One that the store can never take must not hold up the others.
            for one in touched {
                if let Err(refused) = self.settle(vec![one], now).await {
                    self.give_back(refused, now);
                }
            }
        }
        self.count();
    }

    /// Commits `touched` and takes it over; gives it back where the store refuses what
    /// it says. Where the store cannot write, what was fetched is asked for again.
    async fn settle(
        &mut self,
        touched: Vec<(LiveWave, Vec<Change>)>,
        now: Timestamp,
    ) -> Result<(), Vec<(LiveWave, Vec<Change>)>> {
        let changes: Vec<Change> = touched.iter().flat_map(|(_, changes)| changes).cloned().collect();
        match self.commit(&changes).await {
            Ok(()) => {
                self.observe(&changes, now);
                for (live, _) in touched {
                    self.adopt(live, Occasion::News, now);
                }
            }
            Err(error) if error.is_refusal() => return Err(touched),
            Err(_) => self.give_back(touched, now),
        }
        Ok(())
    }

    /// Nothing happened: what was fetched is asked for again.
    fn give_back(&mut self, touched: Vec<(LiveWave, Vec<Change>)>, now: Timestamp) {
        for (live, _) in touched {
            let id = &live.wave.id;
            let Some(old) = self.waves.get_mut(id) else { continue };
            for (rules, gate) in &mut old.gates {
                if gate.busy && live.gates.get(rules).is_some_and(|new| !new.busy) {
                    gate.busy = false;
                    gate.failed(now);
                }
            }
            self.enqueue(id);
        }
    }

    /// Commits; an error where that failed, and the store is marked not ready where it
    /// could not write.
    pub(super) async fn commit(&mut self, changes: &[Change]) -> Result<(), store::Error> {
        if changes.is_empty() {
            return Ok(());
        }
        let result = self.parts.store.commit(changes).await;
        self.parts.metrics.committed(if result.is_ok() { "ok" } else { "refused" });
        if let Err(error) = &result {
            tracing::error!(error = %Chain(error), "the store refused a commit; nothing was changed");
        }
        match &result {
            Err(error) if error.is_refusal() => {}
            Ok(()) => {
                self.budgets.learn(changes);
                self.found_store(None);
            }
            Err(error) => self.found_store(Some(Chain(error).to_string())),
        }
        result
    }

    /// Says what is wrong with the store, if anything.
    fn found_store(&mut self, trouble: Option<String>) {
        self.store_fails = trouble.is_some();
        self.readiness.lock().unwrap_or_else(PoisonError::into_inner).checks = vec![("store", trouble)];
    }

    /// Whether the store writes again: a daemon that is not ready gets no requests that
    /// would show it.
    async fn probe(&mut self) {
        let result = self.parts.store.probe().await;
        if result.is_ok() {
            tracing::info!("the store takes writes again");
        }
        self.found_store(result.err().map(|error| Chain(&error).to_string()));
    }

    fn observe(&self, changes: &[Change], now: Timestamp) {
        for change in changes.iter().filter(|change| !change.evidence.is_empty()) {
            let own = self.waves.get(&change.wave).and_then(|live| live.gates.get(&change.gate.rules));
            let settle = own.map_or(Duration::ZERO, |own| own.entry.rules.schedule.settle);
            if let Some(judgement) = &change.gate.judgement {
                // A look into the past was due when the gate was opened.
                let due = (judgement.at + settle).max(change.gate.opened_at);
                self.parts.metrics.looked(judgement.ruling.word(), now.since(due));
            }
        }
    }

    /// Takes a committed wave over, shows it, and queues what it wants next.
    pub(super) fn adopt(&mut self, live: LiveWave, occasion: Occasion, asked: Timestamp) {
        let id = live.wave.id.clone();
        for gate in &live.wave.gates {
            let before = self.waves.get(&id).and_then(|old| old.gate(&gate.rules));
            if before.is_none_or(|old| (old.attempt, old.state) != (gate.attempt, gate.state)) {
                tracing::info!(wave.id = %id, rules = %gate.rules, gate.attempt, state = wire::state(gate.state), verdict = wire::verdict(gate.verdict), "gate");
                // Nobody can have asked for a verdict before it was there, however old its look.
                if before.is_some() && gate.state.is_final() {
                    self.note_asked(&id);
                }
            }
        }
        live.show(&self.board, occasion, asked);
        // A gate that a new attempt replaces was queued for looks that nobody wants any more.
        for (rules, own) in self.waves.insert(id.clone(), live).into_iter().flat_map(|old| old.gates) {
            if let Some(at) = own.queued {
                self.queue.remove(&(at, id.clone(), rules));
            }
        }
        self.enqueue(&id);
    }

    /// Queues each gate of the wave at the time when it is next due.
    pub(super) fn enqueue(&mut self, id: &WaveId) {
        let Some(live) = self.waves.get_mut(id) else { return };
        for (rules, own) in &mut live.gates {
            if let Some(at) = own.queued.take() {
                self.queue.remove(&(at, id.clone(), rules.clone()));
            }
            own.queued = advance::gate_of(&live.wave, rules).and_then(|gate| own.due(gate));
            if let Some(at) = own.queued {
                self.queue.insert((at, id.clone(), rules.clone()));
            }
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.parts.clock.now()
    }

    pub(super) fn wave(&self, id: &WaveId) -> Option<&LiveWave> {
        self.waves.get(id)
    }

    pub(super) fn asked(&self, id: &WaveId) -> Option<Timestamp> {
        self.board.asked(id)
    }

    /// Remembers that somebody asked for the wave now.
    pub(super) fn note_asked(&self, id: &WaveId) {
        self.board.watch(id, None, self.now());
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.parts.settings
    }

    pub(super) fn store(&self) -> Arc<dyn Store> {
        Arc::clone(&self.parts.store)
    }

    pub(super) fn book(&self) -> &RuleBook {
        &self.parts.book
    }

    pub(super) fn put_book(&mut self, book: RuleBook) {
        self.budgets.put(book.slos());
        self.shelves.take(book.clone(), self.now());
        self.parts.book = book;
    }

    pub(super) fn open_gates(&self) -> usize {
        self.waves.values().flat_map(|live| &live.wave.gates).filter(|gate| !gate.state.is_final()).count()
    }

    /// Takes a stored wave up, or says why it cannot go on.
    pub(super) fn restore(&mut self, stored: StoredWave, asked: Timestamp) -> Result<(), BookError> {
        let id = stored.id.clone();
        let restored = LiveWave::restored(stored).map(|live| self.adopt(live, Occasion::Return, asked));
        restored.inspect_err(|fault| tracing::error!(wave.id = %id, error = %fault, "a stored wave cannot go on"))
    }

    /// Takes what is long over out of memory, and lets the store forget what is older
    /// than it keeps.
    fn tidy(&mut self) {
        let now = self.parts.clock.now();
        let old = now - MEMORY;
        let unasked =
            |id: &WaveId| self.board.asked(id).is_none_or(|asked| asked < now - self.parts.settings.reopen_after);
        let over: Vec<WaveId> = self
            .waves
            .iter()
            .filter(|(id, live)| live.is_over_since(old) && unasked(id))
            .map(|(id, _)| id.clone())
            .collect();
        for id in over {
            self.waves.remove(&id);
            self.board.remove(&id);
        }
        while self.pruning.try_join_next().is_some() {}
        if self.pruning.is_empty() {
            let store = Arc::clone(&self.parts.store);
            self.pruning.spawn(async move {
                if let Err(error) = store.prune(now).await {
                    tracing::warn!(error = %Chain(&error), "the store could not be pruned");
                }
            });
        }
    }

    pub(super) fn count(&self) {
        let gates = || self.waves.values().flat_map(|live| &live.wave.gates);
        for (state, word) in wire::STATES {
            self.parts.metrics.gates(word, gates().filter(|gate| gate.state == state).count());
        }
    }
}
