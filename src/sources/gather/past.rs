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
use crate::sources::gather::plan::Counter;
use crate::sources::gather::plan::at_ends;
use crate::sources::gather::question::Answers;
use crate::sources::gather::question::Question;
use std::collections::BTreeMap;

/// The questions about the hour before each of the windows `born`, which lie on
/// the grid of `run`: was the series there, was anything of its metric there.
pub(super) fn questions(counter: &Counter, born: &[Window]) -> Vec<Question> {
    let (Some(first), Some(last)) = (born.first(), born.last()) else { return Vec::new() };
    let at_starts = |expr: String| Question::Grid { expr, from: first.from, to: last.from, step: first.length() };
    vec![
        at_starts(format!("count_over_time({}[1h])", counter.selector)),
        at_starts(format!("count(count_over_time({}[1h]))", counter.any)),
    ]
}

/// The answers to [`questions`].
#[derive(Debug, Default)]
pub(super) struct Histories<'a> {
    /// By labels that two spellings of a bound share.
    before: BTreeMap<Labels, Vec<&'a Series>>,
    partial: Option<&'a str>,
    looked: &'a [Series],
}

impl<'a> Histories<'a> {
    /// The histories of `counter` for the windows `born`.
    pub(super) fn new(counter: &Counter, born: &[Window], answers: &'a Answers) -> Self {
        let [before, looked] = &questions(counter, born)[..] else { return Self::default() };
        let before = answers.get(Some(before));
        let mut by_labels: BTreeMap<Labels, Vec<&Series>> = BTreeMap::new();
        for series in &before.series {
            by_labels.entry(spelled_once(series.labels())).or_default().push(series);
        }
        Self { before: by_labels, partial: before.partial.as_deref(), looked: &answers.get(Some(looked)).series }
    }

    /// What came before the series `labels` in the hour before `at`, and the
    /// source's words where its answer lacks what would show it.
    pub(super) fn past(&self, labels: &Labels, at: Timestamp) -> (Past, Option<&'a str>) {
        let mut same = self.before.get(&spelled_once(labels)).into_iter().flatten();
        if same.any(|series| is_there(series, at)) {
            (Past::Present, None)
        } else if self.partial.is_some() {
            (Past::Unknown, self.partial)
        } else if self.looked.iter().any(|series| is_there(series, at)) {
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

fn is_there(series: &Series, at: Timestamp) -> bool {
    matches!(point(series, at), Point::Value(count) if count > 0.0)
}
