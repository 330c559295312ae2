//! What one interval of a gate showed: the stored truth.
//!
//! Everything a judgement uses is in here, reduced to increments and values, so
//! that folding the same intervals again gives the same bytes, on another day
//! and without the source.

use crate::series::Counts;
use crate::series::Labels;
use crate::series::Timestamp;
use crate::series::Window;
use std::time::Duration;

/// One interval of one gate, check by check.
#[derive(Clone, Debug, PartialEq)]
pub struct IntervalEvidence {
    /// The span observed.
    pub window: Window,
    /// In the order of the rule file's checks.
    pub checks: Vec<CheckEvidence>,
    /// What the error budget is judged by; `None` where the rule file minds none.
    pub budget: Option<BudgetEvidence>,
}

/// What one interval showed of an error budget.
#[derive(Clone, Debug, PartialEq)]
pub struct BudgetEvidence {
    /// [`Measure::Counts`] of the wave's cohorts by the SLO's indicator; the instances are
    /// the strata, where the SLO has some.
    pub wave: CheckEvidence,
    /// The service as a whole at the end of the interval; `None` where nobody could say.
    pub service: Option<ServiceReading>,
}

/// What was known of a service at one moment, from the slices up to [`ServiceReading::through`].
#[derive(Clone, Debug, PartialEq)]
pub struct ServiceReading {
    /// The end of the last slice that is in it.
    pub through: Timestamp,
    /// One for each length of window that the SLO's tiers look at, the shortest first. Counts are events, or
    /// slices where the SLO counts those.
    pub windows: Vec<SpanReading>,
    /// The period so far, counted as the windows are.
    pub period: SpanReading,
    /// Events of the period so far, whatever the SLO counts.
    pub events: SpanReading,
    /// When the period began.
    pub period_from: Timestamp,
    /// When it ends, of a calendar; `through` where it rolls.
    pub period_to: Timestamp,
    /// The end of the first slice of the period that was seen; `None` where none was.
    pub seen_from: Option<Timestamp>,
    /// Excess errors that other waves of the period brought, and earlier attempts of this one,
    /// each at least 0: events.
    pub spent_by_others: f64,
    /// SLOs of the same service that page somebody, by name, but this one.
    pub paging: Vec<String>,
    /// What the service served at the same time of an earlier day, before the wave; the
    /// baseline of a wave that has none. `None` where it was not seen.
    pub before: Option<Counts>,
}

/// What one span of a service came to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SpanReading {
    /// Its length.
    pub length: Duration,
    /// The sums over the slices that were seen; `None` where none was.
    pub counts: Option<Counts>,
    /// Slices that were seen.
    pub seen: u32,
    /// Slices of the span.
    pub slices: u32,
    /// Bad events in it, whatever the SLO counts; 0 where nothing was seen. Limits for services
    /// with little traffic are of events: one of them makes a whole slice bad.
    pub bad_events: f64,
}

/// One interval of one check.
#[derive(Clone, Debug, PartialEq)]
pub struct CheckEvidence {
    /// The upgraded instances.
    pub canary: Observed,
    /// The others; `None` where the check is judged alone.
    pub baseline: Option<Observed>,
    /// What forbids a PASS, whatever the numbers say.
    pub faults: Vec<Fault>,
    /// What a reader should know about how the numbers came about.
    pub notices: Vec<Notice>,
}

impl CheckEvidence {
    /// Nothing was seen of either cohort.
    pub fn missing() -> Self {
        let nothing = Observed::nothing(1);
        Self { canary: nothing.clone(), baseline: Some(nothing), faults: Vec::new(), notices: Vec::new() }
    }
}

/// What one cohort showed in one interval.
#[derive(Clone, Debug, PartialEq)]
pub struct Observed {
    /// The evidence itself.
    pub measure: Measure,
    /// What each instance showed, by name, where the check asks for that: a ratio, and a gauge
    /// judged by instance. Empty where nothing tells instances
    /// apart, or where they are more than anybody keeps.
    pub instances: Vec<InstanceEvidence>,
    /// Samples that arrived, of [`Observed::expected`].
    pub seen: u32,
    /// Samples that a healthy cohort has in this interval; at least 1.
    pub expected: u32,
    /// Samples that were NaN: they count as missing.
    pub nan: u32,
    /// Samples that were infinite: while one is in the window the check cannot pass.
    pub infinite: u32,
}

impl Observed {
    /// Nothing arrived of `expected` samples.
    pub fn nothing(expected: u32) -> Self {
        Self { measure: Measure::Nothing, instances: Vec::new(), seen: 0, expected, nan: 0, infinite: 0 }
    }
}

/// What one instance of a cohort showed in one interval.
#[derive(Clone, Debug, PartialEq)]
pub struct InstanceEvidence {
    /// The value of its instance label.
    pub name: String,
    /// [`Measure::Counts`] or [`Measure::Value`].
    pub measure: Measure,
}

/// The evidence of one cohort in one interval. Every number is finite.
#[derive(Clone, Debug, PartialEq)]
pub enum Measure {
    /// No sample: not zero, unknown.
    Nothing,
    /// Increments of two counters, `0 <= bad <= total`.
    Counts {
        /// Bad events.
        bad: f64,
        /// All events.
        total: f64,
    },
    /// Increments of a histogram.
    Buckets(Buckets),
    /// The cohort's mean over instances.
    Value(f64),
    /// Two means over instances: a value, and what it is divided by.
    Rated {
        /// The value.
        value: f64,
        /// What it is judged for each of; at least 0.
        per: f64,
    },
    /// The worst series of the cohort.
    Worst {
        /// Its value.
        value: f64,
        /// Its labels.
        series: Labels,
    },
}

/// Events of one interval by bucket: `counts[k]` events in `(bounds[k-1], bounds[k]]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Buckets {
    bounds: Vec<f64>,
    counts: Vec<f64>,
}

impl Buckets {
    /// `None` unless `bounds` increase strictly and end in `+Inf`, and `counts` are
    /// as many, finite and not negative.
    pub fn new(bounds: Vec<f64>, counts: Vec<f64>) -> Option<Self> {
        let ordered = bounds.windows(2).all(|pair| pair[0] < pair[1]);
        let ends = bounds.last().is_some_and(|last| *last == f64::INFINITY);
        let countable = counts.iter().all(|count| count.is_finite() && *count >= 0.0);
        (ordered && ends && countable && bounds.len() == counts.len()).then_some(Self { bounds, counts })
    }

    /// Upper bounds, strictly increasing, the last `+Inf`.
    pub fn bounds(&self) -> &[f64] {
        &self.bounds
    }

    /// Events in each bucket, not cumulative.
    pub fn counts(&self) -> &[f64] {
        &self.counts
    }

    /// All events.
    pub fn total(&self) -> f64 {
        self.counts.iter().sum()
    }

    /// Events above `threshold` of all; `None` where that is no bound between two buckets:
    /// how the events of one bucket lie within it is not known, and nobody guesses.
    pub fn above(&self, threshold: f64) -> Option<Counts> {
        let edge = self.bounds.iter().position(|bound| bound.total_cmp(&(threshold + 0.0)).is_eq())?;
        let above = self.counts.get(edge + 1..).filter(|above| !above.is_empty())?;
        let bad: f64 = above.iter().sum();
        let good: f64 = self.counts.iter().take(edge + 1).sum();
        Some(Counts { bad, total: good + bad })
    }
}

/// What forbids a PASS of a check, whatever its numbers say.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// One series answered for both cohorts, or both have the same matchers.
    CohortsOverlap {
        /// The first such series, or the matchers.
        series: String,
    },
    /// The `bad` metric, or a label it asks for, exists nowhere in the source.
    BadNeverSeen {
        /// What was asked.
        selector: String,
    },
    /// The threshold of an SLO is not a bucket of its histogram: how many events were
    /// slower is not known, and is not guessed.
    ThresholdNotABucket {
        /// The histogram and the threshold.
        threshold: String,
        /// The bounds that it has, at most 256 characters.
        bounds: String,
    },
    /// The answer lacks data: the source said so, or it was over a limit and not read.
    PartialAnswer {
        /// In the source's own words, at most 256 characters.
        message: String,
    },
}

/// How the numbers of an interval came about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Notice {
    /// A counter began within the wave, and nothing shows that it was absent for
    /// the hour before: its first sample is where it starts.
    StartsAtFirstSample {
        /// How many series.
        series: u32,
    },
    /// A counter was there within the hour before and silent for longer than the
    /// five minutes over which an increment is believed; what it counted
    /// meanwhile is not known.
    GapNotBridged {
        /// How many series.
        series: u32,
    },
    /// Histograms with different bounds were merged on the bounds they share.
    BoundsDiffer,
    /// Some histograms are native and others have classic buckets alone: neither form
    /// shows everything of both cohorts, so nothing was read.
    NativeAndClassic,
    /// More bad than total events: bad was taken as total.
    BadAboveTotal,
    /// A cohort's series carry no instance label: they were taken as one instance.
    NoInstanceLabel,
    /// A cohort has more instances than are kept apart: none of them is judged by itself.
    TooManyInstances {
        /// How many there are.
        instances: u32,
    },
    /// The name of an instance is longer than is kept: none of the cohort's is judged by itself.
    InstanceNameTooLong {
        /// Of the longest name.
        bytes: u32,
    },
    /// The baseline is of another time: what changed since, by day of the week or by
    /// season, is taken for the canary's.
    BaselineIsHistory {
        /// How long ago it was, in milliseconds.
        ago_ms: u64,
    },
    /// The source remarked on the query.
    Remark {
        /// In its own words, at most 256 characters.
        message: String,
    },
}
