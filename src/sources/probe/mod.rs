//! Evidence from requests that wavegate makes itself.
//!
//! While a gate wants a probe, its two URLs are requested every so often, both at the
//! same moments, and what came of it is counted in series like those of a service
//! that measures itself. Everything else is as for any source: counters in
//! memory, gaps, coverage.
//!
//! A moment at which neither URL gave an HTTP answer says nothing about the canary:
//! our own network, name server or file descriptors may be to blame. It is a gap,
//! which coverage shows, and not one failure of each cohort, which would be equal. So
//! are the moments at which a baseline that is gone does not answer: next to it every
//! canary is good.
//!
//! Memory lives with the process. After a restart what was requested before is
//! missing, and coverage shows that too.

mod counts;
mod request;
mod run;

use crate::rules::Probe;
use crate::series::Timestamp;
use crate::series::Window;
use crate::sources::Answer;
use crate::sources::Error;
use crate::sources::Grid;
use crate::sources::Pending;
use crate::sources::Source;
use crate::sources::error::shortened;
use crate::sources::memory::Bounds;
use crate::sources::memory::Memory;
use crate::sources::memory::Now;
use crate::sources::memory::Recall;
use crate::sources::memory::Shared;
use crate::sources::memory::Words;
use crate::sources::probe::run::Round;
use crate::telemetry::Metrics;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// What messages and metrics call this source.
const NAME: &str = "probe";

/// Probes at a time. Each has two connections and, at a request a second, 4 MB of samples.
const MAX_PROBES: usize = 64;

/// A probe goes on for so long after it was last wanted, so that a source that does not
/// answer the same gate's other checks for a while does not end it.
const IDLE: Duration = Duration::from_mins(5);

/// And at least for so many of the pauses between two looks: one may come late.
const PAUSES: u32 = 4;

/// Characters of a URL in messages, of which evidence keeps 256 with two URLs in them.
const SHOWN_CHARS: usize = 60;

/// What is kept: whether a counter is new is told by the hour before, and looks that
/// wait for another source may be an hour late.
const BOUNDS: Bounds = Bounds { retention: Duration::from_hours(2), max_series: 200, max_samples: 250_000 };

/// Requests URLs while they are wanted, as a [`Source`]. All of it ends when this is dropped.
pub struct Prober {
    now: Now,
    metrics: Arc<Metrics>,
    wanted: Wanted,
    tasks: Mutex<Tasks>,
}

/// The probes under way. A task takes its own out under the lock under which it is
/// wanted, so that none ends while somebody counts on it.
type Wanted = Arc<Mutex<BTreeMap<Probe, Entry>>>;

/// One probe under way.
struct Entry {
    memory: Shared,
    until: Instant,
}

/// What runs, and what it requests with.
#[derive(Default)]
struct Tasks {
    running: JoinSet<()>,
    /// Without certificates, and with those of the system.
    plain: Option<reqwest::Client>,
    secure: Option<reqwest::Client>,
}

impl Prober {
    /// Requests nothing yet. `now` stamps the samples.
    pub fn new(now: impl Fn() -> Timestamp + Send + Sync + 'static, metrics: Arc<Metrics>) -> Self {
        Self { now: Arc::new(now), metrics, wanted: Wanted::default(), tasks: Mutex::default() }
    }

    /// Sees to it that `probe` is under way, for somebody who wants it again within
    /// `pause`. Wanting it twice changes nothing. To be called in a tokio runtime.
    ///
    /// # Errors
    /// [`Error::TooManyProbes`], or [`Error::Settings`] where there are no certificates
    /// to check an `https` address with.
    pub fn want(&self, probe: &Probe, pause: Duration) -> Result<(), Error> {
        let until = Instant::now() + IDLE.max(pause.saturating_mul(PAUSES));
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        // A panic in a task is a bug: it is passed on to whoever asks next.
        while let Some(ended) = tasks.running.try_join_next() {
            if let Err(failed) = ended
                && failed.is_panic()
            {
                std::panic::resume_unwind(failed.into_panic());
            }
        }
        let mut wanted = locked(&self.wanted);
        if let Some(entry) = wanted.get_mut(probe) {
            entry.until = entry.until.max(until);
            return Ok(());
        }
        if wanted.len() >= MAX_PROBES {
            return Err(Error::TooManyProbes { canary: shown(&probe.canary), limit: MAX_PROBES });
        }
        let client = tasks.client(probe)?;
        let labels = [("probe".to_owned(), probe.key())].into_iter().collect();
        let words = Words {
            subject: format!("probe of {} and {}", shown(&probe.canary), shown(&probe.baseline)),
            missed: "compared nothing",
            // Its only series are the counters, whose gaps coverage shows.
            silent: None,
            short: "a look that comes so late has no requests to judge",
        };
        let memory = Shared::new(Memory::new(words, labels, BOUNDS));
        wanted.insert(probe.clone(), Entry { memory: memory.clone(), until });
        let round = Round::new(probe.clone(), client, memory, Arc::clone(&self.now), Arc::clone(&self.metrics));
        tasks.running.spawn(run::run(round, Arc::clone(&self.wanted)));
        let (canary, baseline) = (shown(&probe.canary), shown(&probe.baseline));
        tracing::info!(canary, baseline, every = ?probe.every, "a probe begins");
        Ok(())
    }

    fn recall(&self) -> Recall {
        let memories = locked(&self.wanted).values().map(|entry| entry.memory.clone()).collect();
        Recall { source: NAME.to_owned(), memories }
    }
}

impl Tasks {
    /// What `probe` is requested with; made once.
    fn client(&mut self, probe: &Probe) -> Result<reqwest::Client, Error> {
        let is_plain = [&probe.canary, &probe.baseline].iter().all(|url| url.starts_with("http:"));
        let kept = if is_plain { &mut self.plain } else { &mut self.secure };
        if let Some(client) = kept {
            return Ok(client.clone());
        }
        let problem = "the HTTP client cannot be built".to_owned();
        let client = request::client(is_plain);
        let client =
            client.map_err(|cause| Error::Settings { name: NAME.to_owned(), problem, cause: Some(cause.into()) })?;
        Ok(kept.insert(client).clone())
    }
}

impl Source for Prober {
    fn name(&self) -> &'static str {
        NAME
    }

    fn raw<'a>(&'a self, selector: &'a str, window: Window) -> Pending<'a, Result<Answer, Error>> {
        Box::pin(self.recall().raw(selector, window))
    }

    fn grid<'a>(&'a self, expr: &'a str, grid: Grid) -> Pending<'a, Result<Answer, Error>> {
        Box::pin(self.recall().grid(expr, grid))
    }
}

/// `url` for people: a query may have a token in it, and a cause must fit behind it.
fn shown(url: &str) -> String {
    shortened(url.split('?').next().unwrap_or_default(), SHOWN_CHARS)
}

/// Whole after a panic too: entries are put in and taken out at once.
fn locked(wanted: &Wanted) -> MutexGuard<'_, BTreeMap<Probe, Entry>> {
    wanted.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether `probe` is wanted no longer; then it is taken out.
fn is_over(wanted: &Wanted, probe: &Probe) -> bool {
    let mut wanted = locked(wanted);
    let is_over = wanted.get(probe).is_none_or(|entry| entry.until <= Instant::now());
    if is_over {
        wanted.remove(probe);
    }
    is_over
}
