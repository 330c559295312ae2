//! An SLO that has been read: every value in range, every query parsed.

use crate::rules::Digest;
use crate::rules::query::Selector;
use crate::rules::slo::Policies;
use crate::series::Fraction;
use jiff::tz::TimeZone;
use std::time::Duration;

const DAY: Duration = Duration::from_hours(24);

/// What a service promises.
#[derive(Clone, Debug, PartialEq)]
pub struct Slo {
    /// What it is called, in URLs, metrics and rule files.
    pub name: SloName,
    /// For people.
    pub description: Option<String>,
    /// Whose promise it is; gates of one service stop on a page of any of its SLOs. The
    /// SLO's own name where the file does not say.
    pub service: String,
    /// A source of the configuration; `None` where there is but one.
    pub source: Option<String>,
    /// What is counted.
    pub indicator: Indicator,
    /// The share of good events that is promised, in (0, 1).
    pub objective: Fraction,
    /// Over what time.
    pub period: Period,
    /// How events become a share of the error budget.
    pub budgeting: Budgeting,
    /// The length of the slices that are kept: what every window is a multiple of.
    pub slice: Duration,
    /// How long samples take to arrive: slices are asked for so much later.
    pub settle: Duration,
    /// When somebody is told, in the order of the file; may be empty.
    pub tiers: Vec<Tier>,
    /// A tier fires only where its long window has so many bad events.
    pub min_bad: u32,
    /// For services with so little traffic that no tier fires.
    pub absolute: Option<Absolute>,
    /// Labels by which cohorts are compared stratum by stratum; empty where as a whole.
    pub strata: Vec<String>,
    /// What waves wait for.
    pub policies: Policies,
    /// SHA-256 of the file's bytes.
    pub digest: Digest,
    /// SHA-256 of what kept slices are counted by: source, indicator, slice.
    pub counted_by: Digest,
}

impl Slo {
    /// The error budget as a share of all events: 1 less the objective, above 0.
    pub fn budget(&self) -> Fraction {
        self.objective.complement().unwrap_or(Fraction::ZERO)
    }
}

/// An SLO's name: 1 to 64 of `a-z A-Z 0-9 . _ -`, beginning with a letter or digit.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SloName(String);

impl SloName {
    /// `None` where `text` is not such a name.
    pub fn new(text: &str) -> Option<Self> {
        // The same grammar, so that one word of a rule file is read one way.
        crate::rules::RulesName::new(text).map(|name| Self(name.as_str().to_owned()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for SloName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// What is counted.
#[derive(Clone, Debug, PartialEq)]
pub enum Indicator {
    /// Two counters: bad events, and all.
    Bad {
        /// Counter of bad events.
        bad: Selector,
        /// Counter of all events.
        total: Selector,
    },
    /// Two counters: good events, and all.
    Good {
        /// Counter of good events.
        good: Selector,
        /// Counter of all events.
        total: Selector,
    },
    /// A histogram, classic or native: events above a bound are bad.
    Latency {
        /// The metric without `_bucket`.
        histogram: Selector,
        /// The bound, in the unit of the histogram. A classic one must have it as a bucket.
        threshold: f64,
    },
    /// A gauge that is 1 while all is well and 0 else: each sample is an event.
    Up {
        /// The gauge.
        gauge: Selector,
    },
}

/// Over what time an objective is promised.
#[derive(Clone, Debug, PartialEq)]
pub enum Period {
    /// The time up to now.
    Rolling(Duration),
    /// From the last turn of the calendar on.
    Calendar {
        /// What turns.
        unit: CalendarUnit,
        /// Where.
        zone: TimeZone,
    },
}

impl Period {
    /// The length that factors are made from: of a calendar a nominal one, of 7, 30, 90 or
    /// 365 days, so that a tier means the same in every month.
    pub fn nominal(&self) -> Duration {
        match self {
            Self::Rolling(length) => *length,
            Self::Calendar { unit, .. } => match unit {
                CalendarUnit::Week => DAY * 7,
                CalendarUnit::Month => DAY * 30,
                CalendarUnit::Quarter => DAY * 90,
                CalendarUnit::Year => DAY * 365,
            },
        }
    }

    /// The longest that it can be: with the hour that a clock is put back.
    pub fn longest(&self) -> Duration {
        let hour = Duration::from_hours(1);
        match self {
            Self::Rolling(length) => *length,
            Self::Calendar { unit, .. } => match unit {
                CalendarUnit::Week => DAY * 7 + hour,
                CalendarUnit::Month => DAY * 31 + hour,
                CalendarUnit::Quarter => DAY * 92 + hour,
                CalendarUnit::Year => DAY * 366,
            },
        }
    }
}

/// What of a calendar turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CalendarUnit {
    /// On Mondays.
    Week,
    /// On the first.
    Month,
    /// On the first of January, April, July and October.
    Quarter,
    /// On the first of January.
    Year,
}

/// How events become a share of the error budget (slo.md §1.2, `OpenSLO`).
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Budgeting {
    /// Bad events of all events.
    Occurrences,
    /// Bad slices of all slices; one is good where its share of good events is at least `target`.
    Timeslices {
        /// Of good events.
        target: Fraction,
        /// A multiple of [`Slo::slice`].
        slice: Duration,
        /// What a slice without events is.
        empty: EmptySlice,
    },
    /// The mean over slices of their shares of bad events.
    RatioTimeslices {
        /// A multiple of [`Slo::slice`].
        slice: Duration,
        /// What a slice without events is.
        empty: EmptySlice,
    },
}

impl Budgeting {
    /// The length of what is counted, where slices of `kept` are kept: every window is a
    /// multiple of it, since part of a slice counts nowhere.
    pub fn counted(self, kept: Duration) -> Duration {
        match self {
            Self::Occurrences => kept,
            Self::Timeslices { slice, .. } | Self::RatioTimeslices { slice, .. } => slice,
        }
    }
}

/// What a slice without events is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EmptySlice {
    /// Good.
    Good,
    /// Bad.
    Bad,
    /// Not there.
    Ignore,
}

/// One pair of windows: it fires where both burn faster than the factor.
#[derive(Clone, Debug, PartialEq)]
pub struct Tier {
    /// `page_fast`: unique in the file.
    pub name: String,
    /// Whom it wakes.
    pub severity: TierSeverity,
    /// What tells that it matters.
    pub long: Duration,
    /// What tells that it goes on.
    pub short: Duration,
    /// The burn rate that both must be above.
    pub factor: Fraction,
}

/// Whom a tier wakes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TierSeverity {
    /// Somebody looks at it in working hours.
    Ticket,
    /// Somebody is woken.
    Page,
}

/// So many bad events within a time, whatever the traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Absolute {
    /// At least so many.
    pub bad: u32,
    /// Within this time.
    pub within: Duration,
    /// Whom it wakes.
    pub severity: TierSeverity,
}
