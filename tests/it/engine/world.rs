//! What the engine is tested in: a source in memory, the real store in a
//! temporary folder, and a clock that stands still until everybody waits.

use std::collections::BTreeMap;
use std::future::Future;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::mpsc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use wavegate::engine::BookEntry;
use wavegate::engine::Clock;
use wavegate::engine::Engine;
use wavegate::engine::Handle;
use wavegate::engine::Open;
use wavegate::engine::Parts;
use wavegate::engine::Published;
use wavegate::engine::RuleBook;
use wavegate::rules;
use wavegate::rules::Digest;
use wavegate::rules::RulesName;
use wavegate::series::Counts;
use wavegate::series::Labels;
use wavegate::series::Sample;
use wavegate::series::Series;
use wavegate::series::Timestamp;
use wavegate::series::Window;
use wavegate::sources;
use wavegate::sources::Answer;
use wavegate::sources::Grid;
use wavegate::sources::Source;
use wavegate::sources::probe::Prober;
use wavegate::store;
use wavegate::store::Change;
use wavegate::store::Pruned;
use wavegate::store::SqliteStore;
use wavegate::store::Store;
use wavegate::store::StoredWave;
use wavegate::telemetry::Metrics;
use wavegate::wave::EventKind;
use wavegate::wave::WaveId;

/// 2026-11-22T12:00:00Z: when every world begins.
pub(crate) const NOON: Timestamp = Timestamp::from_millis(1_795_348_800_000);

/// Longer than anything here may take, and still no time at all.
const PATIENCE: Duration = Duration::from_hours(24);

/// One check of a queue that must not be deeper than 10.
pub(crate) fn queue(name: &str) -> BookEntry {
    entry(&format!(
        "version: 1\nname: {name}\nschedule: {{ interval: 15s, warmup: 30s, min_duration: 2m, deadline: 10m }}\n\
         checks:\n  - name: queue\n    threshold: queue_depth\n    max: 10\n    breach: 1 of 1\n\
         \x20   match: {{ canary: 'wave_id=\"$wave\"' }}\n"
    ))
}

/// A queue that may pass once a snapshot is attested.
pub(crate) fn guarded(name: &str) -> BookEntry {
    queue_with(name, "requires: [disk-snapshot]\n")
}

/// A queue that is watched and obeyed by nobody.
pub(crate) fn watched(name: &str) -> BookEntry {
    queue_with(name, "mode: observe\n")
}

/// A queue that sets a param, requires two attestations and has its schedule from a base.
fn extended(name: &str) -> BookEntry {
    let own = format!(
        "version: 1\nname: {name}\nextends: _base.yaml\nrequires: [backup, disk-snapshot]\n\
         params: {{ tier: silver }}\n\
         checks:\n  - name: queue\n    threshold: queue_depth{{tier=\"$tier\"}}\n    max: 10\n    breach: 1 of 1\n\
         \x20   match: {{ canary: 'wave_id=\"$wave\"' }}\n"
    );
    let base = "schedule: { interval: 15s, warmup: 30s, min_duration: 2m, deadline: 10m }\n";
    entry(&rules::bundle(&own, "_base.yaml", base))
}

/// A queue with more to be minded.
pub(crate) fn queue_with(name: &str, more: &str) -> BookEntry {
    entry(&format!("{}{more}", queue(name).text))
}

/// One check whose source is asked how often it scrapes before the first look.
pub(crate) fn errors(name: &str) -> BookEntry {
    entry(&format!(
        "version: 1\nname: {name}\nschedule: {{ interval: 15s, warmup: 5s, min_duration: 30s, deadline: 10m }}\n\
         checks:\n  - name: errors\n    ratio: {{ bad: 'e_total', total: r_total }}\n    tolerance: 1.25x\n\
         \x20   pass_within: 2x\n"
    ))
}

/// A probe of addresses at which nobody listens, after `checks`.
fn probed(name: &str, checks: &str) -> BookEntry {
    entry(&format!(
        "version: 1\nname: {name}\nschedule: {{ interval: 15s, warmup: 30s, min_duration: 2m, deadline: 10m }}\n\
         checks:\n{checks}  - name: journey\n    \
         probe: {{ canary: 'http://127.0.0.1:1/new', baseline: 'http://127.0.0.1:1/old' }}\n"
    ))
}

pub(crate) fn entry(text: &str) -> BookEntry {
    let parsed = rules::parse("test.yaml", text).unwrap_or_else(|faults| panic!("{}", rules::render(&faults, text)));
    BookEntry { rules: parsed.rules, text: text.to_owned() }
}

pub(crate) fn wave(text: &str) -> WaveId {
    WaveId::new(text).unwrap()
}

pub(crate) fn named(text: &str) -> RulesName {
    RulesName::new(text).unwrap()
}

/// A request that opens `rules` for `id` from noon on.
pub(crate) fn open(id: &str, rules: &[&str]) -> Open {
    Open {
        wave: wave(id),
        rules: rules.iter().map(|name| named(name)).collect(),
        baseline: Some("old".to_owned()),
        params: BTreeMap::new(),
        run: None,
        rollout: None,
        start: Some(NOON),
        deadline: None,
        class: None,
        discovered: false,
    }
}

/// A source whose every series is one gauge, and whose every counter is scraped on time.
pub(crate) struct Fake {
    clock: Clock,
    pub(crate) behaviour: Mutex<Behaviour>,
    /// One permit an answer, while `behaviour.slow`.
    pub(crate) answers: Semaphore,
    in_flight: Mutex<(usize, usize)>,
    /// What was asked, over which span, and when.
    pub(crate) asked: Mutex<Vec<(String, Window, Timestamp)>>,
}

#[derive(Clone, Debug)]
pub(crate) struct Behaviour {
    pub(crate) depth: f64,
    pub(crate) down: bool,
    pub(crate) slow: bool,
    pub(crate) scrape: Duration,
    pub(crate) shop: Shop,
}

/// A shop that counts: 100 requests a second, of which a canary serves ten and the wave
/// `old` the others.
#[derive(Clone, Debug)]
pub(crate) struct Shop {
    /// Nobody says what the whole shop served.
    pub(crate) silent: bool,
    /// Whoever says it does not have everything.
    pub(crate) partial: bool,
    /// The share of errors of a canary.
    pub(crate) canary: f64,
    /// Of `old`, and of the whole shop.
    pub(crate) others: f64,
    /// More than that for a time, in what the SLO `shop` counts of the whole shop.
    pub(crate) bursts: Vec<(Window, f64)>,
}

impl Shop {
    /// Whom `selector` picks of the shop's requests or errors; `None` of something else.
    fn cohort(selector: &str) -> Option<&'static str> {
        let picked = |(matcher, cohort): (&str, &'static str)| selector.contains(matcher).then_some(cohort);
        let cohorts = [("wave_id=\"old\"", "old"), ("wave_id=", "canary"), ("shop_", "shop")];
        selector.contains("shop_").then(|| cohorts.into_iter().find_map(picked)).flatten()
    }

    /// What its counter says.
    fn counted(&self, selector: &str, cohort: &str, at: Timestamp) -> f64 {
        let (rate, share) = match cohort {
            "canary" => (10.0, self.canary),
            "old" => (90.0, self.others),
            _ => (100.0, self.others),
        };
        if !selector.contains("errors") {
            return rate * at.as_seconds();
        }
        let within = |window: &Window| at.min(window.to).since(window.from).as_secs_f64();
        let more: f64 = self.bursts.iter().map(|(window, share)| share * within(window)).sum();
        rate * (share * at.as_seconds()
            + if selector.starts_with("shop_shop_") && cohort == "shop" { more } else { 0.0 })
    }
}

impl Fake {
    fn new(clock: Clock) -> Self {
        let shop = Shop { silent: false, partial: false, canary: 0.0001, others: 0.0001, bursts: Vec::new() };
        let behaviour = Behaviour { depth: 1.0, down: false, slow: false, scrape: Duration::from_secs(15), shop };
        Self {
            clock,
            behaviour: Mutex::new(behaviour),
            answers: Semaphore::new(0),
            in_flight: Mutex::new((0, 0)),
            asked: Mutex::new(Vec::new()),
        }
    }

    pub(crate) fn set(&self, change: impl FnOnce(&mut Behaviour)) {
        change(&mut self.behaviour.lock().unwrap());
    }

    pub(crate) fn asked(&self) -> Vec<(String, Window, Timestamp)> {
        self.asked.lock().unwrap().clone()
    }

    /// The most questions that were under way at once.
    pub(crate) fn most_in_flight(&self) -> usize {
        self.in_flight.lock().unwrap().1
    }

    async fn answer(&self, query: &str, span: Window, points: Vec<Sample>) -> Result<Answer, sources::Error> {
        self.asked.lock().unwrap().push((query.to_owned(), span, self.clock.now()));
        {
            let mut flying = self.in_flight.lock().unwrap();
            *flying = (flying.0 + 1, flying.1.max(flying.0 + 1));
        }
        let slow = self.behaviour.lock().unwrap().slow;
        if slow {
            self.answers.acquire().await.unwrap().forget();
        }
        tokio::task::yield_now().await;
        self.in_flight.lock().unwrap().0 -= 1;
        let asked = sources::Asked { source: "fake".to_owned(), query: query.to_owned() };
        let Behaviour { down, shop, .. } = self.behaviour.lock().unwrap().clone();
        let cohort = Shop::cohort(query);
        if down || (shop.silent && cohort == Some("shop")) {
            return Err(sources::Error::TimedOut { asked, after: Duration::from_secs(10) });
        }
        let partial = (shop.partial && cohort == Some("shop")).then(|| "not everything".to_owned());
        let labels: Labels = [("pod".to_owned(), cohort.unwrap_or("a").to_owned())].into_iter().collect();
        Ok(Answer { series: vec![Series::new(labels, points)], partial, ..Answer::default() })
    }
}

fn points(from: Timestamp, to: Timestamp, step: Duration, value: impl Fn(Timestamp) -> f64) -> Vec<Sample> {
    let mut points = Vec::new();
    let mut at = from;
    while at <= to {
        points.push(Sample { at, value: value(at) });
        at = at + step;
    }
    points
}

impl Source for Fake {
    fn name(&self) -> &'static str {
        "fake"
    }

    fn raw<'a>(&'a self, selector: &'a str, window: Window) -> sources::Pending<'a, Result<Answer, sources::Error>> {
        let Behaviour { scrape, shop, .. } = self.behaviour.lock().unwrap().clone();
        let cohort = Shop::cohort(selector);
        let counted = |at: Timestamp| cohort.map_or(at.as_seconds(), |cohort| shop.counted(selector, cohort, at));
        // The shop is scraped at the same times whoever asks.
        let step = i64::try_from(scrape.as_millis()).unwrap();
        let next = Timestamp::from_millis((window.from.as_millis().div_euclid(step) + 1) * step);
        let first = if cohort.is_some() { next } else { window.from + Duration::from_millis(1) };
        let points = points(first, window.to, scrape, counted);
        Box::pin(self.answer(selector, window, points))
    }

    fn grid<'a>(&'a self, expr: &'a str, grid: Grid) -> sources::Pending<'a, Result<Answer, sources::Error>> {
        let depth = self.behaviour.lock().unwrap().depth;
        let points = points(grid.from, grid.to, grid.step, |_| depth);
        Box::pin(self.answer(expr, Window { from: grid.from, to: grid.to }, points))
    }
}

/// The real store, which can be told to fail. A paused clock stands still while it works.
pub(crate) struct Fickle {
    inner: SqliteStore,
    pub(crate) full: Mutex<bool>,
    /// Changes of this wave are refused for what they say.
    pub(crate) refused: Mutex<Option<WaveId>>,
    /// Every message that was committed, with its body.
    pub(crate) told: Mutex<Vec<(EventKind, String)>>,
}

/// Waits for `work` while the paused clock stands: a thread that works is no reason to skip ahead.
async fn standing<T>(work: impl Future<Output = T>) -> T {
    let (done, wait) = mpsc::channel::<()>();
    let held = tokio::task::spawn_blocking(move || wait.recv().is_err());
    let outcome = work.await;
    drop(done);
    assert!(held.await.unwrap());
    outcome
}

impl Fickle {
    fn trouble(&self) -> Result<(), store::Error> {
        let full = *self.full.lock().unwrap();
        let source = || sqlx::Error::Io(std::io::ErrorKind::StorageFull.into());
        if full { Err(store::Error::Database { operation: "commit", source: source() }) } else { Ok(()) }
    }
}

impl Store for Fickle {
    fn commit<'a>(&'a self, changes: &'a [Change]) -> store::Pending<'a, ()> {
        Box::pin(async move {
            self.trouble()?;
            let refused = self.refused.lock().unwrap().clone();
            if changes.iter().any(|change| Some(&change.wave) == refused.as_ref()) {
                return Err(store::Error::Contradiction { subject: "it".to_owned(), fault: "as told".to_owned() });
            }
            standing(self.inner.commit(changes)).await?;
            let messages = changes.iter().flat_map(|change| &change.messages);
            self.told.lock().unwrap().extend(messages.map(|message| (message.kind, message.body.clone())));
            Ok(())
        })
    }

    fn load(&self, since: Timestamp) -> store::Pending<'_, Vec<StoredWave>> {
        Box::pin(standing(self.inner.load(since)))
    }

    fn wave<'a>(&'a self, id: &'a WaveId) -> store::Pending<'a, Option<StoredWave>> {
        Box::pin(standing(self.inner.wave(id)))
    }

    fn document<'a>(
        &'a self,
        wave: &'a WaveId,
        rules: &'a RulesName,
        attempt: u32,
        revision: Option<u32>,
    ) -> store::Pending<'a, Option<String>> {
        Box::pin(standing(self.inner.document(wave, rules, attempt, revision)))
    }

    fn evidence<'a>(
        &'a self,
        wave: &'a WaveId,
        rules: &'a RulesName,
        attempt: u32,
    ) -> store::Pending<'a, Vec<wavegate::series::IntervalEvidence>> {
        Box::pin(standing(self.inner.evidence(wave, rules, attempt)))
    }

    fn charges(&self, since: Timestamp) -> store::Pending<'_, Vec<store::Charge>> {
        Box::pin(standing(self.inner.charges(since)))
    }

    fn keep_slices<'a>(
        &'a self,
        counted_by: &'a Digest,
        slices: &'a [(Timestamp, Option<Counts>)],
    ) -> store::Pending<'a, ()> {
        Box::pin(async move {
            self.trouble()?;
            standing(self.inner.keep_slices(counted_by, slices)).await
        })
    }

    fn slices<'a>(
        &'a self,
        counted_by: &'a Digest,
        since: Timestamp,
    ) -> store::Pending<'a, Vec<(Timestamp, Option<Counts>)>> {
        Box::pin(standing(self.inner.slices(counted_by, since)))
    }

    fn probe(&self) -> store::Pending<'_, ()> {
        Box::pin(async move {
            self.trouble()?;
            standing(self.inner.probe()).await
        })
    }

    fn prune(&self, now: Timestamp) -> store::Pending<'_, Pruned> {
        Box::pin(standing(self.inner.prune(now)))
    }

    fn close(&self) -> store::Pending<'_, ()> {
        Box::pin(standing(self.inner.close()))
    }
}

/// What a world is made with.
#[derive(Clone, Copy)]
pub(crate) struct Sizes {
    pub(crate) concurrency: usize,
    pub(crate) max_open_gates: usize,
}

pub(crate) const ROOMY: Sizes = Sizes { concurrency: 8, max_open_gates: 100 };

/// An engine at work.
pub(crate) struct World {
    folder: tempfile::TempDir,
    sizes: Sizes,
    pub(crate) clock: Clock,
    pub(crate) store: Arc<Fickle>,
    pub(crate) source: Arc<Fake>,
    pub(crate) handle: Handle,
    book: RuleBook,
    drain: CancellationToken,
    running: JoinHandle<()>,
    keeping: JoinHandle<()>,
}

pub(crate) fn book() -> RuleBook {
    let depth = "  - name: queue\n    threshold: queue_depth\n    max: 10\n    \
        match: { canary: 'wave_id=\"$wave\"' }\n";
    RuleBook::of([
        queue("checkout"),
        queue("payments"),
        errors("errors"),
        probed("probed", ""),
        probed("mixed", depth),
        guarded("guarded"),
        watched("watched"),
        extended("extended"),
        queue_with("closed", "windows: { deny: ['Sun 00:00-12:05'] }\n"),
        queue_with("frozen", "windows: { deny: ['Sat-Sun'] }\n"),
        queue_with("down", "downtime: 90s\n"),
    ])
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::sized(ROOMY).await
    }

    pub(crate) async fn sized(sizes: Sizes) -> Self {
        let clock = Clock::replay(NOON);
        Self::begin(tempfile::tempdir().unwrap(), (sizes, book()), clock, Arc::new(Fake::new(clock))).await
    }

    /// By other rules, and in a shop that does as `change` says from the first moment on.
    pub(crate) async fn of(book: RuleBook, change: impl FnOnce(&mut Behaviour)) -> Self {
        let clock = Clock::replay(NOON);
        let source = Arc::new(Fake::new(clock));
        source.set(change);
        Self::begin(tempfile::tempdir().unwrap(), (ROOMY, book), clock, source).await
    }

    async fn begin(
        folder: tempfile::TempDir,
        (sizes, book): (Sizes, RuleBook),
        clock: Clock,
        source: Arc<Fake>,
    ) -> Self {
        let settings = store::Settings { path: folder.path().join("wavegate.db"), ..store::Settings::default() };
        let inner = standing(SqliteStore::open(&settings)).await.unwrap();
        let store =
            Arc::new(Fickle { inner, full: Mutex::new(false), refused: Mutex::new(None), told: Mutex::default() });
        let metrics = Arc::new(Metrics::new());
        let parts = Parts {
            clock,
            store: Arc::<Fickle>::clone(&store),
            sources: BTreeMap::from([("fake".to_owned(), Arc::<Fake>::clone(&source) as Arc<dyn Source>)]),
            prober: Arc::new(Prober::new(move || clock.now(), Arc::clone(&metrics))),
            book: book.clone(),
            settings: wavegate::engine::Settings {
                max_open_gates: NonZeroUsize::new(sizes.max_open_gates).unwrap(),
                concurrency: NonZeroUsize::new(sizes.concurrency).unwrap(),
                reopen_after: Duration::from_hours(1),
            },
            metrics,
        };
        let (engine, handle) = Engine::start(parts).await.unwrap();
        let drain = CancellationToken::new();
        let running = tokio::spawn(engine.run(drain.clone()));
        let keeping = tokio::spawn(handle.budgets().keep(drain.clone()));
        Self { folder, sizes, clock, store, source, handle, book, drain, running, keeping }
    }

    /// Stops the engine in order and starts another one `later` on what it left.
    pub(crate) async fn restarted(self, sizes: Sizes, later: Duration) -> Self {
        self.drain.cancel();
        self.running.await.unwrap();
        self.keeping.await.unwrap();
        self.store.close().await.unwrap();
        tokio::time::advance(later).await;
        Self::begin(self.folder, (sizes, self.book), self.clock, self.source).await
    }

    pub(crate) async fn restarted_after(self, later: Duration) -> Self {
        let sizes = self.sizes;
        self.restarted(sizes, later).await
    }

    /// The document of the wave, or of one gate, once `is_it` says so.
    pub(crate) async fn until(
        &self,
        id: &str,
        rules: Option<&str>,
        is_it: impl Fn(&Published) -> bool,
    ) -> Arc<Published> {
        let rules = rules.map(named);
        let mut watched = self.handle.watch(&wave(id), rules.as_ref()).await.unwrap();
        let found = tokio::time::timeout(PATIENCE, watched.wait_for(|published| is_it(published))).await;
        let found = found.ok().map(|found| Arc::clone(&found.unwrap()));
        found.unwrap_or_else(|| panic!("never; {}", text(&watched.borrow())))
    }

    pub(crate) async fn is_final(&self, id: &str, rules: Option<&str>) -> Arc<Published> {
        self.until(id, rules, |published| published.is_final).await
    }

    pub(crate) async fn now(&self, id: &str, rules: Option<&str>) -> Arc<Published> {
        self.until(id, rules, |_| true).await
    }

    /// Whether new work is taken.
    pub(crate) fn is_ready(&self) -> bool {
        self.handle.readiness().checks.iter().all(|(_, trouble)| trouble.is_none())
    }
}

pub(crate) fn text(published: &Published) -> &str {
    std::str::from_utf8(&published.body).unwrap()
}

pub(crate) fn json(published: &Published) -> serde_json::Value {
    serde_json::from_slice(&published.body).unwrap()
}
