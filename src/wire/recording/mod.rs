//! A recording: what one gate was judged by, as lines of JSON.
//!
//! The first line says which gate it was and by which rules, in full; then comes one
//! line for each interval with its evidence, as the store has it; then, where the
//! recording was taken from a source's past, what the source answered, so that other
//! questions can be tried on it; and at last what there must have been, which a file
//! that was cut off does not have. Whoever has gzip and jq can read one.

mod answer;
mod header;

pub use answer::RecordedAnswer;
pub use answer::RecordedQuestion;
pub use header::Label;
pub use header::RecordedAttestation;
pub use header::RecordedEnd;
pub use header::RecordingHeader;

use crate::series::IntervalEvidence;
use crate::wire::evidence::read_evidence;
use crate::wire::evidence::write_evidence;
use crate::wire::json;
use answer::AnswerShape;
use serde::Deserialize;
use serde::Serialize;
use serde_json::value::RawValue;

/// The format that is written, and the only one that is read.
pub const RECORDING_FORMAT: u32 = 1;

/// One gate with everything it was judged by.
#[derive(Clone, Debug, PartialEq)]
pub struct Recording {
    /// Which gate, by which rules.
    pub header: RecordingHeader,
    /// Every judged interval, in order from the start.
    pub intervals: Vec<IntervalEvidence>,
    /// What the source answered, where that was kept.
    pub answers: Vec<RecordedAnswer>,
    /// The gate's last document, as it was published.
    pub document: String,
}

/// A line after the first.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "a line is taken apart as soon as it is read, and most are intervals")]
pub enum RecordingLine {
    /// One interval.
    Interval(IntervalEvidence),
    /// One question with its answer.
    Answer(RecordedAnswer),
    /// The last line.
    End {
        /// Lines of intervals before it.
        intervals: u32,
        /// Lines of answers before it.
        answers: u32,
        /// The gate's document.
        document: String,
    },
}

/// How a line of an answer begins: whoever needs none can pass over it unread.
pub const ANSWER_BEGINS: &str = r#"{"answer":"#;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum LineShape<'a> {
    #[serde(borrow)]
    Interval(&'a RawValue),
    Answer(AnswerShape),
    #[serde(borrow)]
    End(EndShape<'a>),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EndShape<'a> {
    intervals: u32,
    answers: u32,
    #[serde(borrow)]
    document: &'a RawValue,
}

impl RecordingLine {
    /// The line that `text` holds.
    ///
    /// # Errors
    /// It is no such line: what is wrong, as a phrase.
    pub fn read(text: &str) -> Result<Self, String> {
        match serde_json::from_str::<LineShape<'_>>(text).map_err(|error| error.to_string())? {
            LineShape::Interval(evidence) => read_evidence(evidence.get()).map(Self::Interval),
            LineShape::Answer(answer) => answer.try_into().map(Self::Answer),
            LineShape::End(EndShape { intervals, answers, document }) => {
                Ok(Self::End { intervals, answers, document: document.get().to_owned() })
            }
        }
    }
}

impl Recording {
    /// Every line, in order, without line ends.
    ///
    /// # Errors
    /// The evidence holds a number that its type rules out, or the document is no JSON.
    pub fn lines(&self) -> impl Iterator<Item = Result<String, String>> {
        let header = std::iter::once_with(|| Ok(self.header.line()));
        let interval = |evidence| Ok(format!(r#"{{"interval":{}}}"#, write_evidence(evidence)?));
        let answer = |answer| Ok(json::text(&LineShape::Answer(AnswerShape::from(answer))));
        let intervals = self.intervals.iter().map(interval);
        header.chain(intervals).chain(self.answers.iter().map(answer)).chain(std::iter::once_with(|| self.end()))
    }

    fn end(&self) -> Result<String, String> {
        let count = |lines: usize| u32::try_from(lines).unwrap_or(u32::MAX);
        let document = serde_json::from_str(&self.document).map_err(|error| error.to_string())?;
        let (intervals, answers) = (count(self.intervals.len()), count(self.answers.len()));
        Ok(json::text(&LineShape::End(EndShape { intervals, answers, document })))
    }
}
