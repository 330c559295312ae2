//! What the source says of the hour before: births, and what was never there.
//!
//! A counter that appears in the middle of a wave counts from zero only if it
//! was absent for the hour before its window, and its metric, of whatever
//! labels, was not: then the source looked, and saw none. Asked at the starts
//! of windows, so that one question serves a run of them.

use crate::series::Fault;
use crate::series::Labels;
use crate::series::Series;
use crate::series::Timestamp;
use crate::series::Window;
use crate::series::counter::Past;
use crate::series::gauge::Point;
use crate::series::gauge::point;
use crate::series::histogram::spelled_once;
use crate::sources::Answer;
use crate::sources::gather::SPAN_PER_QUESTION;
use crate::sources::gather::plan::Counter;
use crate::sources::gather::plan::at_ends;
use crate::sources::gather::question::Answers;
use crate::sources::gather::question::Question;
use std::collections::BTreeMap;
use std::time::Duration;

/// So long before its window a counter that is new was not there.
const HOUR: Duration = Duration::from_hours(1);

/// The questions about the hour before each of the windows `born`, which lie on
/// the grid of `run`: was the series there, was anything of its metric there.
pub(super) fn questions(counter: &Counter, born: &[Window]) -> Vec<Question> {
    near(born).into_iter().filter_map(|born| about(counter, born)).flatten().collect()
}

/// `born` in stretches that one question covers: between births that are days apart
/// nothing needs to be asked.
fn near(born: &[Window]) -> Vec<&[Window]> {
    let (mut stretches, mut rest) = (Vec::new(), born);
    while let Some(first) = rest.first() {
        let (near, far) = rest.split_at(rest.partition_point(|one| one.from.since(first.from) < SPAN_PER_QUESTION));
        stretches.push(near);
        rest = far;
    }
    stretches
}

fn about(counter: &Counter, born: &[Window]) -> Option<[Question; 2]> {
    let (first, last) = (born.first()?, born.last()?);
    let (step, looked) = (first.length(), counter.looked);
    let range =
        if looked.is_zero() { "1h".to_owned() } else { format!("{}ms", HOUR.saturating_sub(looked).as_millis()) };
    Some([
        Question::Grid {
            expr: format!("count_over_time({}[1h])", counter.selector),
            from: first.from,
            to: last.from,
            step,
        },
        Question::Grid {
            expr: format!("count(count_over_time({}[{range}]))", counter.any),
            from: first.from - looked,
            to: last.from - looked,
            step,
        },
    ])
}

/// The answers to [`questions`].
#[derive(Debug, Default)]
pub(super) struct Histories<'a>(Vec<History<'a>>);

/// The answers about one stretch of births.
#[derive(Debug)]
struct History<'a> {
    /// The start of its first window, and of its last.
    from: Timestamp,
    to: Timestamp,
    /// By labels that two spellings of a bound share.
    before: BTreeMap<Labels, Vec<&'a Series>>,
    partial: Option<&'a str>,
    looked: &'a [Series],
    /// How long before a birth somebody must have looked.
    early: Duration,
}

impl<'a> Histories<'a> {
    /// The histories of `counter` for the windows `born`.
    pub(super) fn new(counter: &Counter, born: &[Window], answers: &'a Answers) -> Self {
        Self(near(born).into_iter().filter_map(|born| History::new(counter, born, answers)).collect())
    }

    /// What came before the series `labels` in the hour before `at`, and the
    /// source's words where its answer lacks what would show it.
    pub(super) fn past(&self, labels: &Labels, at: Timestamp) -> (Past, Option<&'a str>) {
        let here = self.0.iter().find(|history| history.from <= at && at <= history.to);
        here.map_or((Past::Unknown, None), |history| history.past(labels, at))
    }
}

impl<'a> History<'a> {
    fn new(counter: &Counter, born: &[Window], answers: &'a Answers) -> Option<Self> {
        let [before, looked] = about(counter, born)?;
        let before = answers.get(Some(&before));
        let mut by_labels: BTreeMap<Labels, Vec<&Series>> = BTreeMap::new();
        for series in &before.series {
            by_labels.entry(spelled_once(series.labels())).or_default().push(series);
        }
        let looked = &answers.get(Some(&looked)).series;
        let (from, to) = (born.first()?.from, born.last()?.from);
        let early = counter.looked;
        Some(Self { from, to, before: by_labels, partial: before.partial.as_deref(), looked, early })
    }

    fn past(&self, labels: &Labels, at: Timestamp) -> (Past, Option<&'a str>) {
        let mut same = self.before.get(&spelled_once(labels)).into_iter().flatten();
        if same.any(|series| is_there(series, at)) {
            (Past::Present, None)
        } else if self.partial.is_some() {
            (Past::Unknown, self.partial)
        } else if self.looked.iter().any(|series| is_there(series, at - self.early)) {
            (Past::Absent, None)
        } else {
            (Past::Unknown, None)
        }
    }
}

/// Whether anything of `relaxed` was there in the hour before the end of each
/// window of `run`.
pub(super) fn existence(relaxed: &str, run: &[Window]) -> Option<Question> {
    at_ends(&format!("count(count_over_time({relaxed}[1h]))"), run)
}

/// Whether `answer`, to [`existence`], has something at `at`.
pub(super) fn exists(answer: &Answer, at: Timestamp) -> bool {
    answer.series.iter().any(|series| is_there(series, at))
}

/// A source's words that are kept, each time: enough to know what to look for,
/// and little enough to be stored with every interval.
const MAX_MESSAGE_CHARS: usize = 256;

/// The first [`MAX_MESSAGE_CHARS`] characters.
pub(super) fn shortened(text: &str) -> String {
    text.chars().take(MAX_MESSAGE_CHARS).collect()
}

/// An answer that lacks data, in the source's words.
pub(super) fn partial(message: &str) -> Fault {
    Fault::PartialAnswer { message: shortened(message) }
}

/// Whether `series` has more than nothing at `at`.
pub(super) fn is_there(series: &Series, at: Timestamp) -> bool {
    matches!(point(series, at), Point::Value(count) if count > 0.0)
}
