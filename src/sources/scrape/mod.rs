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
mod memory;
mod settings;
mod target;

pub use settings::Settings;
pub use settings::TargetSettings;

use crate::rules::query::NEEDS_PROMETHEUS;
use crate::rules::query::QueryFault;
use crate::rules::query::lower;
use crate::rules::query::lower_selector;
use crate::series::Matcher;
use crate::series::Series;
use crate::series::Timestamp;
use crate::series::Window;
use crate::series::counter::STALENESS;
use crate::series::expr::Expr;
use crate::series::expr::Unevaluated;
use crate::sources::Answer;
use crate::sources::Asked;
use crate::sources::Error;
use crate::sources::Excess;
use crate::sources::Grid;
use crate::sources::Pending;
use crate::sources::Source;
use crate::sources::prometheus;
use crate::sources::prometheus::off_the_reactor;
use crate::sources::scrape::memory::Trouble;
use crate::sources::scrape::target::Target;
use std::fmt;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;
use tokio::task::JoinSet;

/// Values that one node of a query may have at once: those of a Prometheus server
/// that nobody configured are ten times as many, for everybody.
const MAX_VALUES: usize = 5_000_000;

/// What time it is.
type Now = Arc<dyn Fn() -> Timestamp + Send + Sync>;

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

    async fn ask_raw(&self, selector: &str, window: Window) -> Result<Answer, Error> {
        self.watch();
        let matchers = lower_selector(selector).map_err(|fault| self.refusal(selector, &fault))?;
        let targets = Arc::clone(&self.targets);
        let series = off_the_reactor(move || {
            let found = targets.iter().flat_map(|target| target.memory().select(&matchers, window));
            let series = found.map(|stored| Series::new(stored.labels, stored.samples)).collect();
            (series, troubles(&targets, &matchers, window, &[window]))
        });
        let (series, troubles) = series.await;
        Ok(answer(series, [troubles]))
    }

    async fn ask_grid(&self, query: &str, grid: Grid) -> Result<Answer, Error> {
        self.watch();
        let asked = || self.asked(query);
        let expr = lower(query).map_err(|fault| self.refusal(query, &fault))?;
        let points = prometheus::points(grid).map_err(|problem| Error::Grid { asked: asked(), problem })?;
        let targets = Arc::clone(&self.targets);
        let evaluated = off_the_reactor(move || {
            let troubles = troubles_of(&targets, &expr, &points);
            let mut select = |matchers: &[Matcher], window| {
                targets.iter().flat_map(|target| target.memory().select(matchers, window)).collect()
            };
            expr.evaluate(&points, MAX_VALUES, &mut select).map(|series| answer(series, troubles))
        });
        evaluated.await.map_err(|unevaluated| match unevaluated {
            Unevaluated::TooMany { limit } => Error::TooLarge { asked: asked(), excess: Excess::Samples(limit) },
            Unevaluated::SameLabels { .. } => Error::Refused { asked: asked(), message: unevaluated.to_string() },
        })
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

    fn refusal(&self, query: &str, fault: &QueryFault) -> Error {
        let asked = self.asked(query);
        if fault.code == NEEDS_PROMETHEUS {
            Error::NeedsPrometheus { asked, problem: fault.message.clone() }
        } else {
            Error::Refused { asked, message: fault.message.clone() }
        }
    }

    fn asked(&self, query: &str) -> Asked {
        Asked { source: self.name.clone(), query: query.to_owned() }
    }
}

impl Source for Scrape {
    fn name(&self) -> &str {
        &self.name
    }

    fn raw<'a>(&'a self, selector: &'a str, window: Window) -> Pending<'a, Result<Answer, Error>> {
        Box::pin(self.ask_raw(selector, window))
    }

    fn grid<'a>(&'a self, expr: &'a str, grid: Grid) -> Pending<'a, Result<Answer, Error>> {
        Box::pin(self.ask_grid(expr, grid))
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

/// What was wrong in `window`, or not known at the end of one of `spans`, with the
/// targets that `matchers` may mean.
fn troubles(targets: &[Arc<Target>], matchers: &[Matcher], window: Window, spans: &[Window]) -> Vec<Trouble> {
    targets.iter().filter_map(|target| target.memory().trouble(matchers, window, spans)).collect()
}

fn troubles_of(targets: &[Arc<Target>], expr: &Expr, points: &[Timestamp]) -> Vec<Vec<Trouble>> {
    let (Some(first), Some(last)) = (points.first(), points.last()) else { return Vec::new() };
    let window = |range: Duration| Window { from: *first - range, to: *last };
    // What was there longer ago says nothing of now, however far back a range reaches.
    let spans: Vec<Window> = points.iter().map(|point| Window { from: *point - STALENESS, to: *point }).collect();
    expr.selections().into_iter().map(|(matchers, range)| troubles(targets, matchers, window(range), &spans)).collect()
}

fn answer(mut series: Vec<Series>, troubles: impl IntoIterator<Item = Vec<Trouble>>) -> Answer {
    series.sort_by(|a, b| a.labels().cmp(b.labels()));
    let mut lacks: Vec<String> = Vec::new();
    let mut remarks: Vec<String> = Vec::new();
    for trouble in troubles.into_iter().flatten() {
        let (to, text) = if trouble.lacks_samples { (&mut lacks, trouble.text) } else { (&mut remarks, trouble.text) };
        if !to.contains(&text) {
            to.push(text);
        }
    }
    Answer { series, partial: (!lacks.is_empty()).then(|| lacks.join("; ")), remarks }
}
