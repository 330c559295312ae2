//! What a source was asked, and what it answered.
//!
//! Times are milliseconds, each after the one before it, so that a scrape every 15 s
//! is the same few digits each time and goes away under compression.

use crate::series::Labels;
use crate::series::Sample;
use crate::series::Series;
use crate::series::Timestamp;
use crate::series::Window;
use crate::series::native::Bucket;
use crate::series::native::Histogram;
use crate::series::native::Histograms;
use crate::series::native::Sample as HistogramAt;
use crate::series::spread::Span;
use crate::wire::evidence::BoundRow;
use serde::Deserialize;
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Duration;

/// A question with its answer.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordedAnswer {
    /// What was asked.
    pub question: RecordedQuestion,
    /// Series of numbers.
    pub series: Vec<Series>,
    /// Series of native histograms.
    pub native: Vec<Histograms>,
    /// The source said that data is missing: its words.
    pub partial: Option<String>,
    /// Remarks that do not touch completeness.
    pub remarks: Vec<String>,
}

/// What a source is asked.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RecordedQuestion {
    /// The raw samples of a selector in a window.
    Raw {
        /// PromQL.
        selector: String,
        /// Its left end excluded.
        window: Window,
    },
    /// The values of an expression at `from`, `from + step`, … `to`.
    Grid {
        /// PromQL.
        expr: String,
        /// The first point.
        from: Timestamp,
        /// The last one.
        to: Timestamp,
        /// Their distance.
        step: Duration,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::wire) struct AnswerShape {
    question: QuestionShape,
    series: Vec<SeriesShape>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    native: Vec<NativeShape>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    partial: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    remarks: Vec<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum QuestionShape {
    Raw { selector: String, from: i64, to: i64 },
    Grid { expr: String, from: i64, to: i64, step_ms: u64 },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SeriesShape {
    labels: BTreeMap<String, String>,
    /// The first instant, then steps.
    at: Vec<i64>,
    values: Vec<f64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    nan: Vec<i64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    infinite: Vec<i64>,
}

/// Left, right and events of one bucket.
type BucketRow = (BoundRow, BoundRow, f64);

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct NativeShape {
    counts: SeriesShape,
    /// One list a sample.
    buckets: Vec<Vec<BucketRow>>,
}

impl From<&RecordedAnswer> for AnswerShape {
    fn from(answer: &RecordedAnswer) -> Self {
        let question = match &answer.question {
            RecordedQuestion::Raw { selector, window } => QuestionShape::Raw {
                selector: selector.clone(),
                from: window.from.as_millis(),
                to: window.to.as_millis(),
            },
            RecordedQuestion::Grid { expr, from, to, step } => QuestionShape::Grid {
                expr: expr.clone(),
                from: from.as_millis(),
                to: to.as_millis(),
                step_ms: u64::try_from(step.as_millis()).unwrap_or(u64::MAX),
            },
        };
        let native = |one: &Histograms| NativeShape {
            counts: SeriesShape::from(one.counts()),
            buckets: one.spreads().iter().map(|spread| spread.spans().iter().map(bucket_row).collect()).collect(),
        };
        Self {
            question,
            series: answer.series.iter().map(SeriesShape::from).collect(),
            native: answer.native.iter().map(native).collect(),
            partial: answer.partial.clone(),
            remarks: answer.remarks.clone(),
        }
    }
}

fn bucket_row(span: &Span) -> BucketRow {
    (span.left.into(), span.right.into(), span.events)
}

impl TryFrom<AnswerShape> for RecordedAnswer {
    type Error = String;

    fn try_from(shape: AnswerShape) -> Result<Self, String> {
        let question = match shape.question {
            QuestionShape::Raw { selector, from, to } => {
                RecordedQuestion::Raw { selector, window: Window { from: instant(from), to: instant(to) } }
            }
            QuestionShape::Grid { step_ms: 0, .. } => return Err("a grid with a step of 0".to_owned()),
            QuestionShape::Grid { expr, from, to, step_ms } => RecordedQuestion::Grid {
                expr,
                from: instant(from),
                to: instant(to),
                step: Duration::from_millis(step_ms),
            },
        };
        Ok(Self {
            question,
            series: shape.series.into_iter().map(Series::try_from).collect::<Result<_, _>>()?,
            native: shape.native.into_iter().map(Histograms::try_from).collect::<Result<_, _>>()?,
            partial: shape.partial,
            remarks: shape.remarks,
        })
    }
}

impl From<&Series> for SeriesShape {
    fn from(series: &Series) -> Self {
        let labels = series.labels().iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
        let stamps = |stamps: &[Timestamp]| stamps.iter().map(|at| at.as_millis()).collect();
        let mut before = 0;
        let step = |sample: &Sample| {
            let at = sample.at.as_millis();
            at - std::mem::replace(&mut before, at)
        };
        Self {
            labels: labels.collect(),
            at: series.samples().iter().map(step).collect(),
            values: series.samples().iter().map(|sample| sample.value).collect(),
            nan: stamps(series.nan()),
            infinite: stamps(series.infinite()),
        }
    }
}

impl SeriesShape {
    /// Labels and samples, with those that are not finite among them; in whatever order.
    fn samples(self) -> Result<(Labels, Vec<Sample>), String> {
        if self.at.len() != self.values.len() {
            return Err(format!("a series of {} instants and {} values", self.at.len(), self.values.len()));
        }
        let mut now = 0_i64;
        let mut samples = Vec::with_capacity(self.at.len() + self.nan.len() + self.infinite.len());
        for (step, value) in self.at.into_iter().zip(self.values) {
            let at = now.checked_add(step).filter(|at| samples.is_empty() || now < *at);
            now = at.ok_or("a series whose instants do not increase")?;
            samples.push(Sample { at: instant(now), value });
        }
        let odd = [(self.nan, f64::NAN), (self.infinite, f64::INFINITY)];
        for (stamps, value) in odd {
            samples.extend(stamps.into_iter().map(|at| Sample { at: instant(at), value }));
        }
        Ok((self.labels.into_iter().collect(), samples))
    }
}

impl TryFrom<SeriesShape> for Series {
    type Error = String;

    fn try_from(shape: SeriesShape) -> Result<Self, String> {
        let (labels, samples) = shape.samples()?;
        Ok(Self::new(labels, samples))
    }
}

impl TryFrom<NativeShape> for Histograms {
    type Error = String;

    fn try_from(shape: NativeShape) -> Result<Self, String> {
        let finite = shape.counts.values.len();
        if finite != shape.buckets.len() {
            return Err(format!("{finite} histograms with {} lists of buckets", shape.buckets.len()));
        }
        let (labels, samples) = shape.counts.samples()?;
        let lists = shape.buckets.into_iter().map(Some).chain(std::iter::repeat(None));
        let histogram = |(sample, buckets): (Sample, Option<Vec<BucketRow>>)| {
            let bucket = |(left, right, events): BucketRow| Bucket {
                left: left.into(),
                right: right.into(),
                is_closed: false,
                events,
            };
            let buckets: Vec<Bucket> = buckets.unwrap_or_default().into_iter().map(bucket).collect();
            let histogram = Histogram::new(sample.value, &buckets).map_err(|flaw| format!("a histogram: {flaw:?}"))?;
            Ok(HistogramAt { at: sample.at, histogram })
        };
        Ok(Self::new(labels, samples.into_iter().zip(lists).map(histogram).collect::<Result<_, String>>()?))
    }
}

fn instant(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}
