//! Waves that open by themselves: new values of the wave's label in a source.
//!
//! A rule file with `discover: true` is looked after at its interval. What is found is
//! opened through the same door as a request, so it has the same limits and the same life.

use crate::engine::book::BookEntry;
use crate::engine::clock::Clock;
use crate::engine::fetch::source_of;
use crate::engine::handle::Handle;
use crate::engine::handle::Open;
use crate::engine::handle::Refusal;
use crate::rules::RulesName;
use crate::series::Timestamp;
use crate::sources;
use crate::sources::Source;
use crate::sources::gather::Found;
use crate::sources::gather::Newcomer;
use crate::sources::gather::Search;
use crate::telemetry::Metrics;
use crate::wave::WaveId;
use futures_util::StreamExt as _;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often the rule files are looked through for what is due; no search comes sooner
/// after the last one of its file.
const GLANCE: Duration = Duration::from_secs(5);

/// Searches at a time: gates that are being judged come first.
const IN_FLIGHT: usize = 2;

/// Most gates opened in one pass: more is a label that is no wave's id.
const NEW_MAX: usize = 100;

/// Things that were said and are not said again; beyond it nothing is said until all of it
/// may be said once more.
const SAID_MAX: usize = 1000;

/// When that is: a label with ten thousand values must not fill the log at every search.
const SILENCE: Duration = Duration::from_hours(1);

/// Finds waves.
pub struct Discovery {
    handle: Handle,
    sources: BTreeMap<String, Arc<dyn Source>>,
    metrics: Arc<Metrics>,
    clock: Clock,
    due: BTreeMap<RulesName, Timestamp>,
    said: BTreeSet<String>,
    /// When what was said may be said again, once it is too much.
    forget_at: Timestamp,
}

impl Discovery {
    /// Nothing was looked for yet.
    pub fn new(
        handle: Handle,
        sources: BTreeMap<String, Arc<dyn Source>>,
        metrics: Arc<Metrics>,
        clock: Clock,
    ) -> Self {
        let forget_at = clock.now() + SILENCE;
        Self { handle, sources, metrics, clock, due: BTreeMap::new(), said: BTreeSet::new(), forget_at }
    }

    /// Looks until `drain`.
    pub async fn run(mut self, drain: CancellationToken) {
        loop {
            tokio::select! {
                () = drain.cancelled() => break,
                () = tokio::time::sleep(GLANCE) => {}
            }
            tokio::select! {
                () = drain.cancelled() => break,
                () = self.pass() => {}
            }
        }
    }

    /// Asks for every rule file that is due, and opens what is new.
    pub async fn pass(&mut self) {
        let now = self.clock.now();
        if SAID_MAX <= self.said.len() && self.forget_at <= now {
            self.said.clear();
            self.forget_at = now + SILENCE;
        }
        let loaded = self.handle.rules();
        let entries = loaded.book().iter().filter(|entry| entry.rules.discover);
        let due: Vec<Arc<BookEntry>> =
            entries.filter(|entry| self.due.get(&entry.rules.name).is_none_or(|at| *at <= now)).cloned().collect();
        self.due.retain(|name, _| loaded.book().get(name).is_some());
        let searches: Vec<Result<Seek<'_>, String>> = due.iter().map(|entry| seek(entry, &self.sources)).collect();
        let asked: Vec<_> = searches.iter().map(|seek| find(seek, &self.metrics, now)).collect();
        let found: Vec<Result<Found, String>> = futures_util::stream::iter(asked).buffered(IN_FLIGHT).collect().await;
        let mut left = NEW_MAX;
        for ((entry, seek), found) in due.iter().zip(&searches).zip(found) {
            let name = &entry.rules.name;
            self.due.insert(name.clone(), now + entry.rules.schedule.interval);
            match (found, seek) {
                (Ok(Found::Values(newcomers)), Ok(seek)) => self.open_all(name, seek, newcomers, &mut left).await,
                (Ok(Found::Values(_)), Err(_)) => {}
                (Ok(Found::Unknown(message)), _) => {
                    self.once(&format!("no wave of `{name}` can be discovered while answers lack data: {message}"));
                }
                (Err(message), _) => self.once(&format!("no wave of `{name}` can be discovered: {message}")),
            }
        }
    }

    async fn open_all(&mut self, name: &RulesName, seek: &Seek<'_>, newcomers: Vec<Newcomer>, left: &mut usize) {
        for newcomer in newcomers {
            let value = &newcomer.value;
            let Some(wave) = WaveId::new(value) else {
                let most = WaveId::MAX_BYTES;
                self.once(&format!("a new value of `{name}` is no wave id, which has 1 to {most} bytes: {value:?}"));
                continue;
            };
            if !matches!(
                self.handle.watch(&wave, Some(name)).await,
                Err(Refusal::NoSuchWave { .. } | Refusal::NoSuchGate { .. })
            ) {
                continue;
            }
            if *left == 0 {
                self.once(&format!("more than {NEW_MAX} new waves at once: those of `{name}` wait for the next pass"));
                break;
            }
            *left -= 1;
            let since = match seek.search.since(&*seek.source, &newcomer).await {
                Ok(since) => since,
                Err(error) => {
                    self.once(&format!("no wave of `{name}` can be discovered: {}", error.in_full()));
                    break;
                }
            };
            let open = Open {
                wave,
                rules: vec![name.clone()],
                baseline: None,
                params: BTreeMap::new(),
                run: None,
                rollout: None,
                start: Some(since),
                deadline: None,
                class: None,
                discovered: true,
            };
            match self.handle.open(open).await {
                Ok(_) => {
                    self.metrics.wave_discovered();
                    tracing::info!(wave.id = %value, rules = %name, since = %since, "discovered a wave");
                }
                Err(refusal @ Refusal::Full { .. }) => {
                    self.once(&format!("a new wave of `{name}` is not opened: {refusal}"));
                    break;
                }
                Err(refusal) => self.once(&format!("new wave `{value}` of `{name}` is not opened: {refusal}")),
            }
        }
    }

    /// Says it in the log where it was not said before.
    fn once(&mut self, message: &str) {
        if self.said.len() < SAID_MAX && self.said.insert(message.to_owned()) {
            tracing::warn!("{message}");
        }
    }
}

/// What to ask and whom.
struct Seek<'a> {
    search: Search<'a>,
    source: Arc<dyn Source>,
}

fn seek<'a>(entry: &'a BookEntry, sources: &BTreeMap<String, Arc<dyn Source>>) -> Result<Seek<'a>, String> {
    let search = Search::of(&entry.rules).map_err(str::to_owned)?;
    let source = source_of(sources, entry).map_err(|error| error.in_full())?;
    Ok(Seek { search, source: source.ok_or("it has no source")? })
}

/// The new waves of one rule file, or why there can be none.
async fn find(seek: &Result<Seek<'_>, String>, metrics: &Metrics, now: Timestamp) -> Result<Found, String> {
    let Seek { search, source } = seek.as_ref().map_err(Clone::clone)?;
    let begun = tokio::time::Instant::now();
    let found = search.newcomers(&**source, now).await;
    metrics.source_answered(source.name(), found.as_ref().map_or_else(sources::Error::code, |_| "ok"), begun.elapsed());
    found.map_err(|error| error.in_full())
}
