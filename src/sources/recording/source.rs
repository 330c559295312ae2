//! A recording as a source.
//!
//! What was asked is answered as it was. What was not asked is answered as far as the
//! recorded samples surely have it: a selector whose matchers only add to those of a
//! recorded one, in a time that was recorded; an expression at points that were
//! recorded, or evaluated here over such selectors. Everything else is a partial
//! answer that says what is missing, which makes its check blind and no other.

use crate::rules::query::lower;
use crate::rules::query::lower_selector;
use crate::series::Labels;
use crate::series::Matcher;
use crate::series::Sample;
use crate::series::Series;
use crate::series::Timestamp;
use crate::series::Window;
use crate::series::expr::Stored;
use crate::series::native;
use crate::series::native::Histograms;
use crate::sources::Answer;
use crate::sources::Asked;
use crate::sources::Error;
use crate::sources::Grid;
use crate::sources::Pending;
use crate::sources::Source;
use crate::sources::prometheus::points;
use crate::sources::recording::Answers;
use crate::sources::recording::file;
use crate::wire::RecordedAnswer;
use crate::wire::RecordedQuestion;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::Path;

/// Values that one node of a query may have at once, as of every source without a Prometheus.
const MAX_VALUES: usize = 5_000_000;

/// Answers from a recording.
pub struct Recorded {
    name: String,
    /// Exact questions.
    exact: BTreeMap<RecordedQuestion, Answer>,
    /// Raw answers by what their selector asks of a series.
    raw: Vec<RawAnswer>,
    /// Values of an expression, of all its grids.
    grids: BTreeMap<String, GridAnswer>,
}

struct RawAnswer {
    /// The conditions of its selector, as text that is equal for equal ones.
    conditions: BTreeSet<String>,
    question: RecordedQuestion,
    window: Window,
}

/// What is known of one expression.
#[derive(Default)]
struct GridAnswer {
    points: BTreeSet<Timestamp>,
    series: BTreeMap<Labels, Vec<Sample>>,
    partial: Option<String>,
    remarks: Vec<String>,
}

impl Recorded {
    /// The source `name` that answers from the file at `path`.
    ///
    /// # Errors
    /// The file is no recording, or one without answers.
    pub fn open(name: String, path: &Path) -> Result<Self, Error> {
        let unusable = |problem: String, cause| Error::Settings { name: name.clone(), problem, cause };
        let recording = file::read(path, Answers::Wanted)
            .map_err(|error| unusable("its recording is refused".to_owned(), Some(Box::new(error) as Box<_>)))?;
        if recording.answers.is_empty() {
            let problem = format!(
                "{} was recorded by a daemon and has no answers of a source: `replay` it, or record the wave's past",
                path.display()
            );
            return Err(unusable(problem, None));
        }
        Ok(Self::new(name, recording.answers))
    }

    /// The source `name` that gives `answers`.
    pub fn new(name: String, answers: Vec<RecordedAnswer>) -> Self {
        let mut source = Self { name, exact: BTreeMap::new(), raw: Vec::new(), grids: BTreeMap::new() };
        for RecordedAnswer { question, series, native, partial, remarks } in answers {
            match &question {
                RecordedQuestion::Raw { selector, window } => {
                    // A selector beyond the subset is answered as it was asked, and in no other way.
                    if let Ok(matchers) = lower_selector(selector) {
                        let (conditions, window) = (conditions(&matchers), *window);
                        source.raw.push(RawAnswer { conditions, question: question.clone(), window });
                    }
                }
                RecordedQuestion::Grid { expr, from, to, step } => {
                    let grid = Grid { from: *from, to: *to, step: *step };
                    let known = source.grids.entry(expr.clone()).or_default();
                    known.points.extend(points(grid).unwrap_or_default());
                    for one in &series {
                        known.series.entry(one.labels().clone()).or_default().extend(all_samples(one));
                    }
                    known.partial = known.partial.take().or_else(|| partial.clone());
                    let new = remarks.iter().filter(|remark| !known.remarks.contains(remark)).cloned();
                    let new: Vec<String> = new.collect();
                    known.remarks.extend(new);
                }
            }
            source.exact.insert(question, Answer { series, native, partial, remarks });
        }
        source.raw.sort_by_key(|one| one.window.from);
        source
    }

    fn asked_raw(&self, selector: &str, window: Window) -> Result<Answer, Error> {
        let question = RecordedQuestion::Raw { selector: selector.to_owned(), window };
        if let Some(answer) = self.exact.get(&question) {
            return Ok(answer.clone());
        }
        let matchers = lower_selector(selector).map_err(|fault| self.refused(selector, fault.message))?;
        Ok(self.select(&matchers, window).unwrap_or_else(|| missing(selector, window.from, window.to)))
    }

    fn asked_grid(&self, expr: &str, grid: Grid) -> Result<Answer, Error> {
        let question = RecordedQuestion::Grid { expr: expr.to_owned(), from: grid.from, to: grid.to, step: grid.step };
        if let Some(answer) = self.exact.get(&question) {
            return Ok(answer.clone());
        }
        let asked = || Asked { source: self.name.clone(), query: expr.to_owned() };
        let points = points(grid).map_err(|problem| Error::Grid { asked: asked(), problem })?;
        if let Some(known) = self.grids.get(expr).filter(|known| points.iter().all(|at| known.points.contains(at))) {
            return Ok(known.at(&points));
        }
        match lower(expr) {
            Ok(_) => Ok(self.evaluate(expr, &points)?.unwrap_or_else(|| missing(expr, grid.from, grid.to))),
            // What only a Prometheus can evaluate was recorded, or is not known.
            Err(_) => Ok(missing(expr, grid.from, grid.to)),
        }
    }

    /// The values of `expr` over recorded samples; `None` where some were not recorded.
    fn evaluate(&self, expr: &str, points: &[Timestamp]) -> Result<Option<Answer>, Error> {
        let tree = lower(expr).map_err(|fault| self.refused(expr, fault.message))?;
        let mut answer = Answer::default();
        let (Some(first), Some(last)) = (points.first(), points.last()) else { return Ok(Some(answer)) };
        for (matchers, range) in tree.selections() {
            let Some(found) = self.select(matchers, Window { from: *first - range, to: *last }) else {
                return Ok(None);
            };
            answer.partial = answer.partial.or(found.partial);
            answer.remarks.extend(found.remarks);
        }
        let mut select = |matchers: &[Matcher], window: Window| {
            let found = self.select(matchers, window).unwrap_or_default();
            found.series.iter().map(stored).collect()
        };
        let series = tree.evaluate(points, MAX_VALUES, &mut select);
        answer.series = series.map_err(|unevaluated| self.refused(expr, unevaluated.to_string()))?;
        Ok(Some(answer))
    }

    /// The series that meet `matchers` with their samples in `window`; `None` where
    /// some may not have been recorded.
    fn select(&self, matchers: &[Matcher], window: Window) -> Option<Answer> {
        let asked = conditions(matchers);
        let mut known_to = window.from;
        let (mut series, mut native): (BTreeMap<Labels, Vec<Sample>>, BTreeMap<Labels, Vec<native::Sample>>) =
            (BTreeMap::new(), BTreeMap::new());
        let mut answer = Answer::default();
        let is_wanted = |labels: &Labels| matchers.iter().all(|one| one.is_met(labels));
        // By their beginning, so that each goes on where those before it end.
        for one in self.raw.iter().filter(|one| one.conditions.is_subset(&asked)) {
            let Some(found) = self.exact.get(&one.question) else { continue };
            if one.window.to <= known_to || window.to <= one.window.from {
                continue;
            }
            if known_to < one.window.from {
                return None;
            }
            known_to = one.window.to;
            for one in found.series.iter().filter(|one| is_wanted(one.labels())) {
                let within = all_samples(one).into_iter().filter(|sample| window.contains(sample.at));
                series.entry(one.labels().clone()).or_default().extend(within);
            }
            for one in found.native.iter().filter(|one| is_wanted(one.counts().labels())) {
                let within = one.samples().into_iter().filter(|sample| window.contains(sample.at));
                native.entry(one.counts().labels().clone()).or_default().extend(within);
            }
            answer.partial = answer.partial.or_else(|| found.partial.clone());
            answer.remarks.extend(found.remarks.iter().cloned());
        }
        if known_to < window.to {
            return None;
        }
        answer.remarks.dedup();
        let (series, native) = (series.into_iter(), native.into_iter());
        answer.series = series.filter(|(_, all)| !all.is_empty()).map(|(of, all)| Series::new(of, all)).collect();
        answer.native = native.filter(|(_, all)| !all.is_empty()).map(|(of, all)| Histograms::new(of, all)).collect();
        Some(answer)
    }

    fn refused(&self, query: &str, message: String) -> Error {
        Error::Refused { asked: Asked { source: self.name.clone(), query: query.to_owned() }, message }
    }
}

impl GridAnswer {
    fn at(&self, points: &[Timestamp]) -> Answer {
        let wanted: BTreeSet<&Timestamp> = points.iter().collect();
        let one = |(labels, samples): (&Labels, &Vec<Sample>)| {
            let samples: Vec<Sample> = samples.iter().filter(|sample| wanted.contains(&sample.at)).copied().collect();
            (!samples.is_empty()).then(|| Series::new(labels.clone(), samples))
        };
        Answer {
            series: self.series.iter().filter_map(one).collect(),
            native: Vec::new(),
            partial: self.partial.clone(),
            remarks: self.remarks.clone(),
        }
    }
}

impl Source for Recorded {
    fn name(&self) -> &str {
        &self.name
    }

    fn raw<'a>(&'a self, selector: &'a str, window: Window) -> Pending<'a, Result<Answer, Error>> {
        Box::pin(async move { self.asked_raw(selector, window) })
    }

    fn grid<'a>(&'a self, expr: &'a str, grid: Grid) -> Pending<'a, Result<Answer, Error>> {
        Box::pin(async move { self.asked_grid(expr, grid) })
    }
}

/// What is known of a question that nobody put: nothing, and so it is said.
fn missing(query: &str, from: Timestamp, to: Timestamp) -> Answer {
    let partial = format!("the recording does not have what this asks from {from} to {to}: {query}");
    Answer { partial: Some(partial), ..Answer::default() }
}

/// The conditions of a selector, each as text; equal for equal ones.
fn conditions(matchers: &[Matcher]) -> BTreeSet<String> {
    matchers.iter().map(|one| format!("{one:?}")).collect()
}

/// Finite samples and the others, in time.
fn all_samples(series: &Series) -> Vec<Sample> {
    let odd = |stamps: &[Timestamp], value: f64| stamps.iter().map(move |at| Sample { at: *at, value }).collect();
    let nan: Vec<Sample> = odd(series.nan(), f64::NAN);
    let infinite: Vec<Sample> = odd(series.infinite(), f64::INFINITY);
    let mut all = [series.samples(), &nan, &infinite].concat();
    all.sort_by_key(|sample| sample.at);
    all
}

fn stored(series: &Series) -> Stored {
    Stored { labels: series.labels().clone(), samples: all_samples(series), ends: Vec::new() }
}
