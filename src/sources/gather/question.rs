//! Questions to a source, each asked once.

use crate::series::Series;
use crate::series::Timestamp;
use crate::series::Window;
use crate::series::native::Histograms;
use crate::sources::Answer;
use crate::sources::Error;
use crate::sources::Grid;
use crate::sources::Pending;
use crate::sources::Source;
use futures_util::StreamExt as _;
use futures_util::TryStreamExt as _;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::time::Duration;

/// Questions of one gate in flight: a fifth of the twenty that a Prometheus
/// server answers at a time by default, so that dashboards go on working.
pub(super) const IN_FLIGHT: usize = 4;

/// One question; equal ones are one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Question {
    /// The raw samples of a selector.
    Raw { selector: String, window: Window },
    /// The values of an expression at `from`, `from + step`, … `to`.
    Grid { expr: String, from: Timestamp, to: Timestamp, step: Duration },
}

impl Question {
    /// Asks it of the time that was `ago`.
    fn put<'a>(&'a self, source: &'a dyn Source, ago: Duration) -> Pending<'a, Result<Answer, Error>> {
        match self {
            Self::Raw { selector, window } => {
                source.raw(selector, Window { from: window.from - ago, to: window.to - ago })
            }
            Self::Grid { expr, from, to, step } => {
                source.grid(expr, Grid { from: *from - ago, to: *to - ago, step: *step })
            }
        }
    }
}

/// What a source answered, by question.
#[derive(Debug, Default)]
pub(super) struct Answers(BTreeMap<Question, Answer>);

/// No answers.
pub(super) static NO_ANSWERS: Answers = Answers(BTreeMap::new());

/// The answer to no question.
static NOTHING: Answer = Answer { series: Vec::new(), native: Vec::new(), partial: None, remarks: Vec::new() };

impl Answers {
    /// Puts every question once, a few at a time. The first that fails, in the
    /// order of questions, fails all. Without a question nobody is needed to answer.
    ///
    /// History is asked for what was `ago`, and its answer told as if it were of now, so
    /// that nothing else has to know about it.
    pub(super) async fn to(
        questions: impl IntoIterator<Item = Question>,
        source: Option<&dyn Source>,
        ago: Duration,
    ) -> Result<Self, Error> {
        let questions: BTreeSet<Question> = questions.into_iter().collect();
        if questions.is_empty() {
            return Ok(Self::default());
        }
        let nobody = || Error::NotConfigured { name: String::new(), known: "none".to_owned() };
        let source = source.ok_or_else(nobody)?;
        let pending: Vec<_> = questions.iter().map(|question| question.put(source, ago)).collect();
        let answers: Vec<Answer> = futures_util::stream::iter(pending).buffered(IN_FLIGHT).try_collect().await?;
        let answers = answers.into_iter().map(|answer| later(ordered(answer), ago));
        Ok(Self(questions.into_iter().zip(answers).collect()))
    }

    /// The samples of all answers.
    pub(super) fn samples(&self) -> u64 {
        self.0.values().map(samples).fold(0, |sum, more| sum.saturating_add(u64::try_from(more).unwrap_or(u64::MAX)))
    }

    /// The samples of the largest answer.
    pub(super) fn largest(&self) -> usize {
        self.0.values().map(samples).max().unwrap_or(0)
    }

    /// The answer to `question`; nothing where none was put.
    pub(super) fn get(&self, question: Option<&Question>) -> &Answer {
        question.and_then(|question| self.0.get(question)).unwrap_or(&NOTHING)
    }
}

/// Samples of `answer`, of any kind.
fn samples(answer: &Answer) -> usize {
    let all = answer.series.iter().chain(answer.native.iter().map(Histograms::counts));
    all.map(|series| series.samples().len() + series.nan().len() + series.infinite().len()).sum()
}

/// `answer` as if it had been `by` later.
fn later(answer: Answer, by: Duration) -> Answer {
    if by.is_zero() {
        return answer;
    }
    let series = answer.series.into_iter().map(|series| series.later(by)).collect();
    let native = answer.native.into_iter().map(|native| native.later(by)).collect();
    Answer { series, native, ..answer }
}

/// `answer` with its series by labels, whatever order they came in; of two with
/// the same labels one, always the same.
fn ordered(mut answer: Answer) -> Answer {
    answer.series.sort_by(compare);
    answer.series.dedup_by(|later, first| later.labels() == first.labels());
    answer.native.sort_by(|a, b| compare(a.counts(), b.counts()));
    answer.native.dedup_by(|later, first| later.counts().labels() == first.counts().labels());
    answer
}

fn compare(a: &Series, b: &Series) -> Ordering {
    a.labels().cmp(b.labels()).then_with(|| compare_samples(a, b))
}

fn compare_samples(a: &Series, b: &Series) -> Ordering {
    let pairs = a.samples().iter().zip(b.samples());
    let differing = pairs.map(|(x, y)| x.at.cmp(&y.at).then_with(|| x.value.total_cmp(&y.value)));
    differing
        .into_iter()
        .find(|order| order.is_ne())
        .unwrap_or_else(|| a.samples().len().cmp(&b.samples().len()))
        .then_with(|| (a.nan(), a.infinite()).cmp(&(b.nan(), b.infinite())))
}
