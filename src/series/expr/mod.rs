//! Queries that we evaluate ourselves, where there is no Prometheus to ask.
//!
//! A stated subset of PromQL: a selector; `rate`, `increase` and `…_over_time` of
//! one; `sum`, `avg`, `min`, `max` and `count` over series; arithmetic and
//! comparison between them, series by series with equal labels. A tree is
//! evaluated at all points of a grid at once, node by node, so that each selector
//! is looked up once.
//!
//! Values are Prometheus', with the ranges of Prometheus 3: the left end of a
//! range and of the look-back is outside. The tests hold it against a real server.

mod combine;
mod over_time;

use crate::series::Labels;
use crate::series::Matcher;
use crate::series::Sample;
use crate::series::Series;
use crate::series::Timestamp;
use crate::series::Window;
use crate::series::counter::STALENESS;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// A query as a tree.
#[derive(Clone, Debug)]
pub enum Expr {
    /// The same at every point.
    Number(f64),
    /// The last sample of each series that meets all matchers, if it is at most
    /// [`STALENESS`] old and the series did not end after it.
    Instant(Vec<Matcher>),
    /// A function of the samples that each series had within `range` before a point.
    OverTime {
        /// Which.
        function: Function,
        /// Of which series.
        matchers: Vec<Matcher>,
        /// How far back, left end excluded.
        range: Duration,
    },
    /// Many series as one for each group.
    Aggregate {
        /// How.
        aggregation: Aggregation,
        /// By which labels.
        grouping: Grouping,
        /// What.
        of: Box<Expr>,
    },
    /// Two values as one; of series by series with the same labels but the name.
    Binary {
        /// How.
        operator: Operator,
        /// A comparison gives 1 or 0, where else it leaves values out.
        gives_bool: bool,
        /// The left one.
        left: Box<Expr>,
        /// The right one.
        right: Box<Expr>,
    },
}

/// What becomes of the samples of one series in a range.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Function {
    /// Events a second, extrapolated to the range.
    Rate,
    /// Events, extrapolated to the range.
    Increase,
    /// The mean.
    Avg,
    /// The least.
    Min,
    /// The greatest.
    Max,
    /// The sum.
    Sum,
    /// How many.
    Count,
    /// The last.
    Last,
    /// 1 where there is any.
    Present,
    /// The standard deviation, of the samples as a population.
    Stddev,
    /// Its square.
    Stdvar,
    /// The quantile, between two samples in proportion.
    Quantile(f64),
}

/// What becomes of many series at one point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aggregation {
    /// The sum.
    Sum,
    /// The mean.
    Avg,
    /// The least.
    Min,
    /// The greatest.
    Max,
    /// How many.
    Count,
}

/// Which series are one group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Grouping {
    /// Those with the same values of these labels.
    By(Vec<String>),
    /// Those with the same values of all labels but these and the name.
    Without(Vec<String>),
}

/// What becomes of two values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`
    Divide,
    /// `%`, with the sign of the left one.
    Remainder,
    /// `^`
    Power,
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    Greater,
    /// `>=`
    AtLeast,
}

/// One series as it is stored: every sample as it came, and where it ended.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stored {
    /// What tells it from others.
    pub labels: Labels,
    /// In strictly increasing time, NaN and infinity among them.
    pub samples: Vec<Sample>,
    /// When it was looked for and not there any more, in increasing time.
    pub ends: Vec<Timestamp>,
}

/// Why a query has no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unevaluated {
    /// More values at a time than the limit.
    TooMany {
        /// It.
        limit: usize,
    },
    /// Two series with the same labels at one point, once the metric name is gone.
    SameLabels {
        /// Their labels.
        labels: String,
    },
}

impl fmt::Display for Unevaluated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooMany { limit } => write!(f, "more than {limit} values"),
            Self::SameLabels { labels } => {
                write!(f, "two series have the labels {labels}: aggregate them, or match one metric only")
            }
        }
    }
}

/// A value, or none, at each point.
type Column = Vec<Option<f64>>;

/// Columns by labels.
type Vector = BTreeMap<Labels, Column>;

/// What a node gives.
enum Value {
    /// The same at every point.
    Scalar(f64),
    Vector(Vector),
}

impl Expr {
    /// Every selector, and how far before a point it reads.
    pub fn selections(&self) -> Vec<(&[Matcher], Duration)> {
        match self {
            Self::Number(_) => Vec::new(),
            Self::Instant(matchers) => vec![(matchers, STALENESS)],
            Self::OverTime { matchers, range, .. } => vec![(matchers, *range)],
            Self::Aggregate { of, .. } => of.selections(),
            Self::Binary { left, right, .. } => [left.selections(), right.selections()].concat(),
        }
    }

    /// The values at `points`, which increase, in series ordered by labels.
    /// `select` gives the stored series that meet matchers, with their samples in
    /// a window. No node may give more than `limit` values.
    ///
    /// # Errors
    /// See [`Unevaluated`].
    pub fn evaluate(
        &self,
        points: &[Timestamp],
        limit: usize,
        select: &mut dyn FnMut(&[Matcher], Window) -> Vec<Stored>,
    ) -> Result<Vec<Series>, Unevaluated> {
        let columns = match (Evaluation { points, limit, select }).value(self)? {
            Value::Vector(columns) => columns,
            Value::Scalar(value) => BTreeMap::from([(Labels::default(), vec![Some(value); points.len()])]),
        };
        let series = |(labels, column): (Labels, Column)| {
            let samples = points.iter().zip(column);
            let samples = samples.filter_map(|(at, value)| Some(Sample { at: *at, value: value? })).collect();
            Series::new(labels, samples)
        };
        let seen = |(_, column): &(_, Column)| column.iter().any(Option::is_some);
        Ok(columns.into_iter().filter(seen).map(series).collect())
    }
}

struct Evaluation<'e> {
    points: &'e [Timestamp],
    limit: usize,
    select: &'e mut dyn FnMut(&[Matcher], Window) -> Vec<Stored>,
}

impl Evaluation<'_> {
    fn value(&mut self, expr: &Expr) -> Result<Value, Unevaluated> {
        Ok(match expr {
            Expr::Number(value) => Value::Scalar(*value),
            Expr::Instant(matchers) => Value::Vector(self.columns(matchers, STALENESS, |labels| labels, last)?),
            Expr::OverTime { function, matchers, range } => {
                let labels = |labels: Labels| if *function == Function::Last { labels } else { labels.without(NAME) };
                let value = |_: &Stored, samples: &[Sample], point: Timestamp| {
                    over_time::apply(*function, samples, Window { from: point - *range, to: point })
                };
                Value::Vector(self.columns(matchers, *range, labels, value)?)
            }
            Expr::Aggregate { aggregation, grouping, of } => match self.value(of)? {
                Value::Vector(columns) => Value::Vector(combine::aggregate(*aggregation, grouping, columns)),
                // PromQL has no aggregate of a number; what is one already stays.
                Value::Scalar(value) => Value::Scalar(value),
            },
            Expr::Binary { operator, gives_bool, left, right } => {
                let (left, right) = (self.value(left)?, self.value(right)?);
                combine::binary(*operator, *gives_bool, left, right)?
            }
        })
    }

    /// A column for each selected series: `value` of what it has within `range`
    /// before each point.
    fn columns(
        &mut self,
        matchers: &[Matcher],
        range: Duration,
        labels: impl Fn(Labels) -> Labels,
        value: impl Fn(&Stored, &[Sample], Timestamp) -> Option<f64>,
    ) -> Result<Vector, Unevaluated> {
        let (Some(first), Some(last)) = (self.points.first(), self.points.last()) else { return Ok(Vector::new()) };
        let found = (self.select)(matchers, Window { from: *first - range, to: *last });
        if found.len().saturating_mul(self.points.len()) > self.limit {
            return Err(Unevaluated::TooMany { limit: self.limit });
        }
        let mut columns = Vector::new();
        for stored in found {
            let at = |point: &Timestamp| {
                let begin = stored.samples.partition_point(|sample| sample.at <= *point - range);
                let end = stored.samples.partition_point(|sample| sample.at <= *point);
                value(&stored, stored.samples.get(begin..end).unwrap_or_default(), *point)
            };
            let column: Column = self.points.iter().map(at).collect();
            combine::put(&mut columns, labels(stored.labels), column)?;
        }
        Ok(columns)
    }
}

/// The label that holds the metric's name.
const NAME: &str = "__name__";

/// The last of `samples`, unless the series ended after it and before the point.
fn last(stored: &Stored, samples: &[Sample], point: Timestamp) -> Option<f64> {
    let last = samples.last()?;
    let ended = stored.ends.iter().any(|end| last.at < *end && *end <= point);
    (!ended).then_some(last.value)
}
