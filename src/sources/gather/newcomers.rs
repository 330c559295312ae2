//! Values of the wave's label that a source has only lately: waves that nobody has told us of.
//!
//! A value is new when its first sample of the last hour is at most ten minutes old and the
//! source had samples of the same metric before that, ten minutes ago and well before the
//! value: a source that saw nothing at all before does not know what is new, nor does one
//! that has just begun to see everything, one target after the other. So nothing has to be
//! remembered, and a restart opens no gate of a wave that went on all the time.

use crate::rules::CheckKind;
use crate::rules::RuleFile;
use crate::rules::query::Bindings;
use crate::rules::query::BoundMatchers;
use crate::rules::query::Matchers;
use crate::series::Series;
use crate::series::Timestamp;
use crate::series::Window;
use crate::series::counter;
use crate::series::native::Histograms;
use crate::sources::Answer;
use crate::sources::Error;
use crate::sources::Grid;
use crate::sources::Source;
use crate::sources::gather::plan::selectors;
use std::collections::BTreeMap;
use std::time::Duration;

/// How long a value counts as new: longer than a daemon takes to start again.
pub const FRESH: Duration = Duration::from_mins(10);

/// How much later than the first value that a source has: longer than it takes to scrape
/// every target once, as the longest useful scrape interval.
const APART: Duration = counter::STALENESS;

/// How far back a new value must not have been; the second where the source cannot say so
/// much, as one that scrapes by itself an hour after its start.
const LOOKBACKS: [Duration; 2] = [Duration::from_hours(1), Duration::from_mins(20)];

/// The grid of the question: every minute of it is looked at whole.
const STEP: Duration = Duration::from_mins(1);

/// A value of the wave's label, and the minute of its first sample.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Newcomer {
    /// As in the source: not yet known to be a wave id.
    pub value: String,
    /// The end of that minute.
    pub seen: Timestamp,
}

/// What is asked to find new waves of some rules.
#[derive(Clone, Debug)]
pub struct Search<'a> {
    kind: &'a CheckKind,
    label: &'a str,
    canary: &'a Matchers,
    /// The canary of whatever wave.
    any: BoundMatchers,
    params: BTreeMap<String, String>,
}

impl<'a> Search<'a> {
    /// What to ask for `rules`.
    ///
    /// # Errors
    /// Why nothing can be found by them.
    pub fn of(rules: &'a RuleFile) -> Result<Self, &'static str> {
        let check = rules.checks.iter().find(|check| check.probe.is_none()).ok_or("every check is a probe")?;
        let cohorts = |check: &'a crate::rules::Check| check.cohorts.as_ref().unwrap_or(&rules.cohorts);
        let needs = |check: &'a crate::rules::Check| {
            let cohorts = cohorts(check);
            cohorts.canary.needs_baseline() || cohorts.baseline.as_ref().is_some_and(Matchers::needs_baseline)
        };
        if rules.checks.iter().any(needs) {
            return Err("its cohorts need `$baseline`, which nobody says; compare with 'LABEL!=\"$wave\"'");
        }
        let params = rules.params_of(&BTreeMap::new()).map_err(|_| "a param has no default")?;
        let canary = &cohorts(check).canary;
        let label = canary.wave_label().ok_or("its canary has no matcher 'LABEL=\"$wave\"'")?;
        let bindings = Bindings { wave: "", baseline: None, params: &params };
        let any = canary.without_wave().and_then(|others| others.bind(&bindings));
        let any = any.ok_or("`$wave` is in more than one matcher of its canary")?;
        Ok(Self { kind: &check.kind, label, canary, any, params })
    }

    /// The values that are new at `now`, the oldest first.
    ///
    /// # Errors
    /// The source did not answer.
    pub async fn newcomers(&self, source: &dyn Source, now: Timestamp) -> Result<Found, Error> {
        let mut partial = None;
        for lookback in LOOKBACKS {
            let answer = self.ask(source, Grid { from: now - lookback, to: now, step: STEP }).await?;
            if let Some(message) = answer.partial {
                partial = Some(message);
                continue;
            }
            return Ok(Found::Values(self.fresh(&answer, now)));
        }
        Ok(Found::Unknown(partial.unwrap_or_default()))
    }

    /// Where there are samples, minute by minute, of the first selector that has any.
    async fn ask(&self, source: &dyn Source, grid: Grid) -> Result<Answer, Error> {
        let mut last = Answer::default();
        for selector in selectors(self.kind, &self.any) {
            let expr = format!("count by ({}) (count_over_time({selector}[1m]))", self.label);
            last = source.grid(&expr, grid).await?;
            if !last.series.is_empty() {
                break;
            }
        }
        Ok(last)
    }

    fn fresh(&self, answer: &Answer, now: Timestamp) -> Vec<Newcomer> {
        let first = |series: &Series| series.samples().iter().find(|sample| sample.value > 0.0).map(|sample| sample.at);
        let named = answer.series.iter().filter_map(|series| Some((first(series)?, series.labels().get(self.label))));
        let named: Vec<(Timestamp, Option<&str>)> = named.collect();
        // The minute that ends ten minutes ago is old.
        let is_old = |at: Timestamp| at <= now - FRESH;
        let Some(first) = named.iter().map(|(at, _)| *at).min().filter(|at| is_old(*at)) else { return Vec::new() };
        let fresh = named.into_iter().filter(|(seen, _)| !is_old(*seen) && first + APART < *seen);
        let named = |(seen, value): (Timestamp, Option<&str>)| {
            let value = value.filter(|value| !value.is_empty())?.to_owned();
            Some(Newcomer { value, seen })
        };
        let mut fresh: Vec<Newcomer> = fresh.filter_map(named).collect();
        fresh.sort_by(|a, b| (a.seen, &a.value).cmp(&(b.seen, &b.value)));
        fresh
    }

    /// When the first sample of `newcomer` was; the end of its minute where it is gone by now.
    ///
    /// # Errors
    /// The source did not answer.
    pub async fn since(&self, source: &dyn Source, newcomer: &Newcomer) -> Result<Timestamp, Error> {
        let Newcomer { value, seen } = newcomer;
        let seen = *seen;
        let bindings = Bindings { wave: value, baseline: None, params: &self.params };
        let Some(canary) = self.canary.bind(&bindings) else { return Ok(seen) };
        let window = Window { from: seen - STEP, to: seen };
        for selector in selectors(self.kind, &canary) {
            let answer = source.raw(&selector, window).await?;
            let all = answer.series.iter().chain(answer.native.iter().map(Histograms::counts));
            if let Some(first) = all.filter_map(|series| Some(series.samples().first()?.at)).min() {
                return Ok(first);
            }
        }
        Ok(seen)
    }
}

/// What a search found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// New values, oldest first.
    Values(Vec<Newcomer>),
    /// The source's answers lack data, in its words: what is missing may have been there before.
    Unknown(String),
}
