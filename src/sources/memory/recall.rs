//! Questions answered from what is kept, as far as [`lower()`] goes.

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
use crate::sources::memory::Memory;
use crate::sources::memory::kept::Trouble;
use crate::sources::prometheus;
use crate::sources::prometheus::off_the_reactor;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

/// Values that one node of a query may have at once: those of a Prometheus server
/// that nobody configured are ten times as many, for everybody.
const MAX_VALUES: usize = 5_000_000;

/// A memory that a task fills while questions are answered from it.
#[derive(Clone, Debug)]
pub(in crate::sources) struct Shared(Arc<Mutex<Memory>>);

impl Shared {
    pub(in crate::sources) fn new(memory: Memory) -> Self {
        Self(Arc::new(Mutex::new(memory)))
    }

    /// Whole after a panic too: each sample is put in at once.
    pub(in crate::sources) fn lock(&self) -> MutexGuard<'_, Memory> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a source remembers at the moment of a question.
pub(in crate::sources) struct Recall {
    /// The source's name.
    pub(in crate::sources) source: String,
    pub(in crate::sources) memories: Vec<Shared>,
}

impl Recall {
    /// As [`Source::raw`](crate::sources::Source::raw).
    pub(in crate::sources) async fn raw(self, selector: &str, window: Window) -> Result<Answer, Error> {
        let matchers = lower_selector(selector).map_err(|fault| self.refusal(selector, &fault))?;
        let (series, troubles) = off_the_reactor(move || {
            let found = self.memories.iter().flat_map(|memory| memory.lock().select(&matchers, window));
            let series = found.map(|stored| Series::new(stored.labels, stored.samples)).collect();
            (series, self.troubles(&matchers, window, &[window]))
        })
        .await;
        Ok(answer(series, [troubles]))
    }

    /// As [`Source::grid`](crate::sources::Source::grid).
    pub(in crate::sources) async fn grid(self, query: &str, grid: Grid) -> Result<Answer, Error> {
        let asked = self.asked(query);
        let expr = lower(query).map_err(|fault| self.refusal(query, &fault))?;
        let points = match prometheus::points(grid) {
            Ok(points) => points,
            Err(problem) => return Err(Error::Grid { asked, problem }),
        };
        let evaluated = off_the_reactor(move || {
            let troubles = self.troubles_of(&expr, &points);
            let mut select = |matchers: &[Matcher], window| {
                self.memories.iter().flat_map(|memory| memory.lock().select(matchers, window)).collect()
            };
            expr.evaluate(&points, MAX_VALUES, &mut select).map(|series| answer(series, troubles))
        });
        evaluated.await.map_err(|unevaluated| match unevaluated {
            Unevaluated::TooMany { limit } => Error::TooLarge { asked, excess: Excess::Samples(limit) },
            Unevaluated::SameLabels { .. } => Error::Refused { asked, message: unevaluated.to_string() },
        })
    }

    /// What was wrong in `window`, or not known at the end of one of `spans`, with those
    /// that `matchers` may mean.
    fn troubles(&self, matchers: &[Matcher], window: Window, spans: &[Window]) -> Vec<Trouble> {
        self.memories.iter().filter_map(|memory| memory.lock().trouble(matchers, window, spans)).collect()
    }

    fn troubles_of(&self, expr: &Expr, points: &[Timestamp]) -> Vec<Vec<Trouble>> {
        let (Some(first), Some(last)) = (points.first(), points.last()) else { return Vec::new() };
        let window = |range: Duration| Window { from: *first - range, to: *last };
        // What was there longer ago says nothing of now, however far back a range reaches.
        let spans: Vec<Window> = points.iter().map(|point| Window { from: *point - STALENESS, to: *point }).collect();
        let selections = expr.selections().into_iter();
        selections.map(|(matchers, range)| self.troubles(matchers, window(range), &spans)).collect()
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
        Asked { source: self.source.clone(), query: query.to_owned() }
    }
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
    let partial = (!lacks.is_empty()).then(|| lacks.join("; "));
    Answer { series, native: Vec::new(), partial, remarks }
}
