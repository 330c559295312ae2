//! Evidence from targets that wavegate scrapes itself, without a Prometheus.
//!
//! Each target has a task that asks it every `interval` and keeps what it exposes
//! for `retention`, in memory. Questions are answered from there, as far as
//! [`rules::query::lower()`] goes.
//!
//! What Prometheus does, this does: the target's labels win over exposed ones,
//! which become `exported_…`; `up` and `scrape_duration_seconds` are made for each
//! scrape; a target that does not answer, or answers with more than its limits
//! allow, leaves a gap and ends its series. What Prometheus does not: a line that
//! cannot be read costs that line and not the whole scrape, and makes every answer
//! that it may belong to incomplete, by line and cause. So does a target that may
//! be meant and is down, or was not scraped yet: the others of its cohort do not
//! speak for it, and a counter that it shows later is not new.
//!
//! Samples live in memory, and in the evidence of the waves that were judged by
//! them. After a restart windows that were not judged yet are answered with
//! nothing, and their coverage shows it.
//!
//! [`rules::query::lower()`]: crate::rules::query::lower()

mod body;
mod fetch;
mod settings;
mod target;

pub use settings::Settings;
pub use settings::TargetSettings;

use crate::series::Timestamp;
use crate::series::Window;
use crate::sources::Answer;
use crate::sources::Error;
use crate::sources::Grid;
use crate::sources::Pending;
use crate::sources::Source;
use crate::sources::memory::Now;
use crate::sources::memory::Recall;
use crate::sources::scrape::target::Target;
use std::fmt;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;
use tokio::task::JoinSet;

/// Targets that are scraped, as a [`Source`]. Scraping ends when it is dropped.
pub struct Scrape {
    name: String,
    targets: Arc<[Arc<Target>]>,
    tasks: Mutex<JoinSet<()>>,
}

impl Scrape {
    /// Begins to scrape what `settings` name, each target on its own phase of the
    /// interval. `now` stamps the samples. To be called in a tokio runtime.
    ///
    /// # Errors
    /// [`Error::Settings`] with every fault of the settings, or where there are no
    /// certificates to check an `https` target with.
    pub fn start(
        name: impl Into<String>,
        settings: &Settings,
        now: impl Fn() -> Timestamp + Send + Sync + 'static,
    ) -> Result<Self, Error> {
        let name = name.into();
        let faults = settings.faults();
        if !faults.is_empty() {
            return Err(Error::Settings { name, problem: faults.join("; "), cause: None });
        }
        let client = fetch::client(&name, settings)?;
        let targets: Arc<[Arc<Target>]> =
            settings.targets.iter().map(|target| Arc::new(Target::new(&name, target, settings))).collect();
        let now: Now = Arc::new(now);
        let mut tasks = JoinSet::new();
        for (index, target) in targets.iter().enumerate() {
            let phase = phase(settings.interval, index, targets.len());
            tasks.spawn(target::run(Arc::clone(target), client.clone(), phase, Arc::clone(&now)));
        }
        Ok(Self { name, targets, tasks: Mutex::new(tasks) })
    }

    /// A panic in a task is a bug: it is passed on to whoever asks next.
    fn watch(&self) {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(Err(failed)) = tasks.try_join_next()
            && failed.is_panic()
        {
            std::panic::resume_unwind(failed.into_panic());
        }
    }

    /// What is kept, for questions.
    fn recall(&self) -> Recall {
        self.watch();
        let memories = self.targets.iter().map(|target| target.memory.clone()).collect();
        Recall { source: self.name.clone(), memories }
    }
}

impl Source for Scrape {
    fn name(&self) -> &str {
        &self.name
    }

    fn raw<'a>(&'a self, selector: &'a str, window: Window) -> Pending<'a, Result<Answer, Error>> {
        Box::pin(self.recall().raw(selector, window))
    }

    fn grid<'a>(&'a self, expr: &'a str, grid: Grid) -> Pending<'a, Result<Answer, Error>> {
        Box::pin(self.recall().grid(expr, grid))
    }
}

impl fmt::Debug for Scrape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scrape").field("name", &self.name).field("targets", &self.targets.len()).finish_non_exhaustive()
    }
}

/// Targets are asked one after the other within the interval, not all at once.
fn phase(interval: Duration, index: usize, targets: usize) -> Duration {
    let (index, targets) = (u32::try_from(index).unwrap_or(0), u32::try_from(targets).unwrap_or(u32::MAX));
    interval.saturating_mul(index) / targets.max(1)
}
