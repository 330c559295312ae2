//! A source that keeps what another one answers.

use crate::series::Window;
use crate::sources::Answer;
use crate::sources::Error;
use crate::sources::Grid;
use crate::sources::Pending;
use crate::sources::Source;
use crate::wire::RecordedAnswer;
use crate::wire::RecordedQuestion;
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::PoisonError;

/// Stands before a source. A question that was not answered is not kept.
pub struct Recorder<'s> {
    source: &'s dyn Source,
    answers: Mutex<BTreeMap<RecordedQuestion, Answer>>,
}

impl<'s> Recorder<'s> {
    /// Before `source`.
    pub fn new(source: &'s dyn Source) -> Self {
        Self { source, answers: Mutex::default() }
    }

    /// Every question with its answer, in the order of questions: that in which they
    /// were put depends on the network.
    pub fn answers(self) -> Vec<RecordedAnswer> {
        let answers = self.answers.into_inner().unwrap_or_else(PoisonError::into_inner);
        let one = |(question, answer): (RecordedQuestion, Answer)| {
            let Answer { series, native, partial, remarks } = answer;
            RecordedAnswer { question, series, native, partial, remarks }
        };
        answers.into_iter().map(one).collect()
    }

    fn keep(&self, question: RecordedQuestion, answer: &Answer) {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner).insert(question, answer.clone());
    }
}

impl Source for Recorder<'_> {
    fn name(&self) -> &str {
        self.source.name()
    }

    fn raw<'a>(&'a self, selector: &'a str, window: Window) -> Pending<'a, Result<Answer, Error>> {
        Box::pin(async move {
            let answer = self.source.raw(selector, window).await?;
            self.keep(RecordedQuestion::Raw { selector: selector.to_owned(), window }, &answer);
            Ok(answer)
        })
    }

    fn grid<'a>(&'a self, expr: &'a str, grid: Grid) -> Pending<'a, Result<Answer, Error>> {
        Box::pin(async move {
            let answer = self.source.grid(expr, grid).await?;
            let Grid { from, to, step } = grid;
            self.keep(RecordedQuestion::Grid { expr: expr.to_owned(), from, to, step }, &answer);
            Ok(answer)
        })
    }
}
