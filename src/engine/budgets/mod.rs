//! The accounts of services: slices that are kept, and what they say.
//!
//! One task keeps them ([`Budgets::keep`]): it asks each source only for what is new, and
//! goes on where it was after a restart. Gates read them as of the moment of their look
//! ([`Budgets`] is [`crate::sources::Accounts`]), callers as they stand ([`AccountView`]).
//!
//! What a look reads depends on its moment and not on when it is made, but for two things:
//! the last two slices are asked for once more with the next one, and so are those of the
//! last hour that nobody saw, because samples come late; and what other waves spent is what they were charged with by then. Both are in the
//! evidence, so that a replay and a restart say the same.

mod book;
mod keeper;
mod kept;
mod past;
mod reading;
mod spans;
mod view;

pub use past::PastAccount;
pub use past::past_view;
pub use view::AccountView;
pub use view::HISTORY_POINTS;
pub use view::HistoryPoint;
pub use view::Upkeep;

use crate::engine::budgets::book::Books;
use crate::engine::clock::Clock;
use crate::engine::slo_book::SloBook;
use crate::rules::Slo;
use crate::rules::SloName;
use crate::sources::Source;
use crate::store;
use crate::store::Change;
use crate::store::Store;
use crate::telemetry::Metrics;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::sync::Semaphore;
use tokio::sync::watch;

/// How long ago a charge may have begun that is still remembered: a year's period, and the
/// month for which looks in the past are answered.
const CHARGES: Duration = Duration::from_hours(400 * 24);

/// Looks that wait for the keeper at a time: each holds one of the engine's fetches, and
/// gates of other services must not wait for them.
const WAITERS_MAX: usize = 4;

/// The accounts of every service, shared by the loop, its fetches and whoever asks.
pub struct Budgets {
    clock: Clock,
    store: Arc<dyn Store>,
    sources: BTreeMap<String, Arc<dyn Source>>,
    metrics: Arc<Metrics>,
    books: Mutex<Books>,
    /// Rings where a look wants what is not there yet, or the SLOs have changed.
    wanted: Notify,
    /// How often something was read: who waits for it looks again.
    read: watch::Sender<u64>,
    waiters: Semaphore,
}

impl Budgets {
    /// The accounts of `slos`, of which nothing was read yet, with what waves were charged.
    ///
    /// # Errors
    /// The store cannot say what waves were charged with.
    pub async fn open(
        clock: Clock,
        store: Arc<dyn Store>,
        sources: BTreeMap<String, Arc<dyn Source>>,
        metrics: Arc<Metrics>,
        slos: &SloBook,
    ) -> Result<Self, store::Error> {
        let now = clock.now();
        let mut books = Books::default();
        for charge in store.charges(now - CHARGES).await? {
            books.charge(charge);
        }
        books.put(in_force(slos), now);
        let (wanted, read) = (Notify::new(), watch::Sender::new(0));
        let (books, waiters) = (Mutex::new(books), Semaphore::new(WAITERS_MAX));
        Ok(Self { clock, store, sources, metrics, books, wanted, read, waiters })
    }

    /// Puts other SLOs in force: one that is counted as another was keeps its slices.
    pub fn put(&self, slos: &SloBook) {
        self.books().put(in_force(slos), self.clock.now());
        self.wanted.notify_one();
    }

    /// Takes over what committed changes charge their waves with.
    pub fn learn(&self, changes: &[Change]) {
        let mut spent = changes.iter().filter_map(|change| change.charge.clone()).peekable();
        if spent.peek().is_some() {
            let mut books = self.books();
            spent.for_each(|one| books.charge(one));
        }
    }

    /// Every account as it stands, by name.
    pub fn accounts(&self) -> Vec<Arc<AccountView>> {
        let mut books = self.books();
        let names: Vec<SloName> = books.names().cloned().collect();
        names.iter().filter_map(|name| books.view(name)).collect()
    }

    /// The account of `name`; `None` where no such SLO is in force.
    pub fn account(&self, name: &SloName) -> Option<Arc<AccountView>> {
        self.books().view(name)
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn in_force(slos: &SloBook) -> impl Iterator<Item = Arc<Slo>> {
    slos.iter().map(|entry| Arc::clone(&entry.slo))
}
