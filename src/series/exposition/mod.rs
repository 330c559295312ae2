//! What a target exposes: Prometheus' text format 0.0.4 and OpenMetrics 1.0.
//!
//! Ours because the one parser there is loses samples without a word: label
//! values with `,` or `}`, names with `:`, quoted names, lines that it does not
//! understand. Here a line that holds a sample gives the sample or an [`Unread`]
//! with its place and its cause, and nothing in between, so that evidence with a
//! hole in it is known to have one. Text is borrowed from the body and copied
//! only where it holds an escape.
//!
//! Where Prometheus accepts more than the formats' grammars, so does this:
//! blanks between tokens, unknown escapes (kept as they are written), CRLF. Two
//! things are refused that Prometheus accepts, because each may be a body that
//! was cut: a last line without its line feed, and OpenMetrics without `# EOF`.
//!
//! Metadata (`# TYPE`, `# HELP`, `# UNIT`), other comments and exemplars carry no
//! evidence and are passed over.
//!
//! References: <https://prometheus.io/docs/instrumenting/exposition_formats/>,
//! <https://prometheus.io/docs/specs/om/open_metrics_spec/>.

mod line;

use crate::series::Timestamp;
use std::borrow::Cow;
use std::fmt;

/// In which format a body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Prometheus text 0.0.4: timestamps in milliseconds.
    Text,
    /// OpenMetrics 1.0: timestamps in seconds, exemplars, `# EOF` at the end.
    OpenMetrics,
}

/// How much of a body is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Lines of any kind; what follows is not read.
    pub lines: usize,
    /// Labels of one sample.
    pub labels: usize,
    /// Bytes of a name or of a label's value.
    pub label_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            // kube-state-metrics of a large cluster; each line costs a microsecond.
            lines: 2_000_000,
            // Mimir allows 30 by default, Prometheus what it scrapes.
            labels: 128,
            // Eight times what Mimir allows a value.
            label_bytes: 16 << 10,
        }
    }
}

/// One sample as it is exposed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Exposed<'a> {
    /// The metric; never empty.
    pub name: Cow<'a, str>,
    /// Names and values in the order of the line, each name once, no value empty:
    /// to Prometheus an empty label is an absent one.
    pub labels: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    /// Any float, NaN and infinity among them.
    pub value: f64,
    /// When the target says that it was so; else it is when it was asked.
    pub at: Option<Timestamp>,
    /// The line, from 1.
    pub line: usize,
}

/// A line that holds a sample which could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unread {
    /// The line, from 1.
    pub line: usize,
    /// The byte of the line at which reading stopped, from 1.
    pub column: usize,
    /// Why.
    pub cause: Cause,
}

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}: {}", self.line, self.column, self.cause)
    }
}

/// Why a sample could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The line is not UTF-8.
    NotUtf8,
    /// No metric name where one should be.
    NoName,
    /// A second metric name.
    NameTwice,
    /// No label name where one should be.
    NoLabelName,
    /// A label twice, or `__name__` as one.
    LabelTwice,
    /// No `=` after a label's name.
    NoEquals,
    /// A label's value does not begin with `"`.
    NoQuote,
    /// A quoted text that does not end on its line.
    OpenQuote,
    /// Neither `,` nor `}` after a label.
    NoComma,
    /// More labels than [`Limits::labels`].
    TooManyLabels,
    /// A name or value longer than [`Limits::label_bytes`].
    LabelTooLong,
    /// No value.
    NoValue,
    /// The value is not a number.
    BadValue,
    /// The timestamp is none of the format, or outside of the years 1 to 9999.
    BadTimestamp,
    /// Something after the sample.
    Trailing,
    /// The last line has no line feed.
    Unfinished,
    /// A sample after `# EOF`.
    AfterEof,
    /// OpenMetrics that does not end in `# EOF`.
    NoEof,
    /// More lines than [`Limits::lines`]; this one and the rest were not read.
    TooManyLines,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotUtf8 => "not UTF-8",
            Self::NoName => "no metric name",
            Self::NameTwice => "a second metric name",
            Self::NoLabelName => "no label name",
            Self::LabelTwice => "one label twice",
            Self::NoEquals => "no `=` after the label's name",
            Self::NoQuote => "the label's value is not in quotes",
            Self::OpenQuote => "a quote that does not end",
            Self::NoComma => "neither `,` nor `}` after a label",
            Self::TooManyLabels => "too many labels",
            Self::LabelTooLong => "a name or a label's value is too long",
            Self::NoValue => "no value",
            Self::BadValue => "the value is not a number",
            Self::BadTimestamp => "not a timestamp",
            Self::Trailing => "something after the sample",
            Self::Unfinished => "the last line has no line feed: was the body cut?",
            Self::AfterEof => "a sample after `# EOF`",
            Self::NoEof => "no `# EOF` at the end: was the body cut?",
            Self::TooManyLines => "too many lines; the rest was not read",
        })
    }
}

/// Reads `body` and hands each line that holds a sample to `take`, in order:
/// the sample, or why there is none. Takes any bytes; allocates for labels with
/// escapes only.
pub fn read<'a>(body: &'a [u8], format: Format, limits: &Limits, mut take: impl FnMut(Result<&Exposed<'a>, Unread>)) {
    let mut sample = Exposed::default();
    let mut ended = false;
    let mut last = 0;
    for (index, whole) in body.split_inclusive(|byte| *byte == b'\n').enumerate() {
        let line = index + 1;
        last = line;
        if line > limits.lines {
            take(Err(Unread { line, column: 1, cause: Cause::TooManyLines }));
            return;
        }
        let finished = whole.strip_suffix(b"\n");
        let text = finished.unwrap_or(whole);
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        match text.iter().find(|byte| !line::is_blank(**byte)) {
            None => {}
            Some(b'#') => ended |= format == Format::OpenMetrics && text == b"# EOF",
            Some(_) if ended => take(Err(Unread { line, column: 1, cause: Cause::AfterEof })),
            Some(_) if finished.is_none() => {
                take(Err(Unread { line, column: text.len() + 1, cause: Cause::Unfinished }));
            }
            Some(_) => match line::read(text, format, limits, &mut sample) {
                Ok(()) => {
                    sample.line = line;
                    take(Ok(&sample));
                }
                Err((at, cause)) => take(Err(Unread { line, column: at + 1, cause })),
            },
        }
    }
    if format == Format::OpenMetrics && !ended {
        take(Err(Unread { line: last + 1, column: 1, cause: Cause::NoEof }));
    }
}
