//! What a look says, with every number it rests on.

use crate::rules::OnFail;
use crate::series::Labels;
use crate::series::Notice;
use crate::series::Timestamp;

/// What one look says of one gate.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    /// The look: the end of the last interval used.
    pub at: Timestamp,
    /// Planned looks so far.
    pub looks: u32,
    /// Planned looks in all.
    pub planned: u32,
    /// Go on, stop, ask a person, or look again.
    pub ruling: Ruling,
    /// False while blind or on a shared incident.
    pub healthy: bool,
    /// Why, the gravest first.
    pub reasons: Vec<Reason>,
    /// In the order of the rule file.
    pub checks: Vec<CheckOutcome>,
    /// What will be decided and when, if everything stays as it is; `None` where nothing will be.
    pub expected: Option<Expected>,
}

/// What is to come if everything stays as it is (statistics.md §7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expected {
    /// Pass or fail.
    pub outcome: Outcome,
    /// The look that says so.
    pub at: Timestamp,
}

/// What the gate should do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ruling {
    /// Look again: nothing is decided.
    GoOn,
    /// The wave may go on.
    Pass,
    /// The wave must stop.
    Fail,
    /// A person is asked.
    Hold,
}

impl Ruling {
    /// Its word in metrics.
    pub fn word(self) -> &'static str {
        match self {
            Self::GoOn => "go_on",
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Hold => "hold",
        }
    }
}

/// One check at one look.
#[derive(Clone, Debug, PartialEq)]
pub struct CheckOutcome {
    /// The check.
    pub name: String,
    /// `ratio`, `histogram`, `quantile`, `gauge`, `threshold`.
    pub kind: &'static str,
    /// Pass, fail or inconclusive.
    pub outcome: Outcome,
    /// What a failure does.
    pub on_fail: OnFail,
    /// The effect and its interval; `None` before there is one.
    pub effect: Option<Effect>,
    /// The margins in the effect's unit; `None` for thresholds.
    pub margins: Option<Margins>,
    /// The threshold's reading.
    pub threshold: Option<ThresholdReading>,
    /// Planned looks this check has had.
    pub looks: u32,
    /// Observations of each cohort: requests, or points.
    pub n: Sizes,
    /// What the observations are worth after autocorrelation.
    pub effective_n: Option<f64>,
    /// The share of the false-fail risk of this check, over the whole wave.
    pub alpha: Option<f64>,
    /// What of [`CheckOutcome::alpha`] was spent by the last planned look.
    pub alpha_spent: Option<f64>,
    /// What will become of an undecided check, if everything stays as it is.
    pub expected: Option<Expected>,
    /// Share of the expected samples that arrived since the warm-up.
    pub coverage: Sizes,
    /// Why it is not a pass, or why it failed.
    pub reasons: Vec<Cause>,
    /// How the numbers came about.
    pub notices: Vec<Notice>,
    /// What the promise does not hold for.
    pub warnings: Vec<Warning>,
    /// Kind-specific extra numbers, by name: `log_e`, `log_e_needed`, `p_value`, `bad_canary` …
    pub details: Vec<(&'static str, f64)>,
}

/// What a check says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The upper bound is below `pass_within`.
    Pass,
    /// The lower bound is above `tolerance`.
    Fail,
    /// Neither, or it could not look.
    Inconclusive,
}

/// An estimate and its repeated confidence interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Effect {
    /// The estimate.
    pub estimate: f64,
    /// Lower bound at the level of one look.
    pub low: f64,
    /// Upper bound at the level of one look; may be `+Inf`.
    pub high: f64,
    /// What the numbers are.
    pub unit: Unit,
}

/// What an effect's numbers are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Canary rate over baseline rate; 1 is no change.
    RateRatio,
    /// P(a canary event is larger than a baseline event); 0.5 is no change.
    Probability,
    /// Share of canary events beyond a bound over that of the baseline's; 1 is no change.
    TailRatio,
    /// The canary's bad events as a share of all, with nobody to compare it with.
    Share,
    /// Canary over baseline less 1; 0 is no change.
    RelativeChange,
    /// Canary less baseline in the unit of the query; 0 is no change.
    AbsoluteChange,
}

/// What a reader of a number should know, though it changes no outcome.
#[derive(Clone, Debug, PartialEq)]
pub enum Warning {
    /// Neighbouring intervals resemble each other more than the promised risks allow for.
    AutocorrelationHigh {
        /// From one interval to the next.
        autocorrelation: f64,
    },
    /// Instances were to be judged, and at the first look there were too few of them.
    JudgedAsCohorts {
        /// Canary instances with points enough.
        canary: usize,
        /// Baseline instances with points enough.
        baseline: usize,
        /// What it takes of both.
        need: [usize; 2],
    },
    /// Values at or below 0 were left out: the first look chose ratios, and they have none.
    ValuesDropped {
        /// Intervals.
        intervals: u32,
    },
    /// There is no baseline: the canary's own ratio was judged against its floor.
    JudgedAlone {
        /// What is good enough, as a share of all events.
        floor: f64,
    },
    /// What a rate is divided by differs between the cohorts' instances.
    TrafficDiffers {
        /// Canary over baseline.
        ratio: f64,
    },
}

/// The margins of a check in the unit of its effect.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Margins {
    /// FAIL needs the lower bound above.
    pub tolerance: f64,
    /// PASS needs the upper bound below.
    pub pass_within: f64,
}

/// What a threshold saw last.
#[derive(Clone, Debug, PartialEq)]
pub struct ThresholdReading {
    /// The bound.
    pub bound: f64,
    /// True for `max`.
    pub is_max: bool,
    /// The canary's last valid sample and the series it came from.
    pub canary: Option<(f64, Labels)>,
    /// The baseline's.
    pub baseline: Option<(f64, Labels)>,
    /// Samples beyond the bound among the last `samples`.
    pub beyond: u32,
    /// As in the rule file.
    pub count: u32,
    /// As in the rule file.
    pub samples: u32,
}

/// One number for each cohort.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sizes {
    /// The canary's.
    pub canary: f64,
    /// The baseline's; 0 where a check is judged alone.
    pub baseline: f64,
}

/// A cause, and the check it comes from.
#[derive(Clone, Debug, PartialEq)]
pub struct Reason {
    /// `None` for the gate as a whole.
    pub check: Option<String>,
    /// With its numbers.
    pub cause: Cause,
}

/// Which cohort.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cohort {
    /// The upgraded instances.
    Canary,
    /// The others.
    Baseline,
}

/// A typed cause with its numbers; [`Cause::code`] is stable.
#[derive(Clone, Debug, PartialEq)]
pub enum Cause {
    /// The lower bound is above the tolerance, on the worse side.
    ShiftAboveTolerance {
        /// The effect when it was found.
        effect: Effect,
        /// The margin.
        tolerance: f64,
        /// When it was found.
        at: Timestamp,
    },
    /// Too many of the canary's events lie above a bound of the histogram.
    TailAboveTolerance {
        /// The share of events above it, over the baseline's, when it was found.
        effect: Effect,
        /// The bound, in the unit of the histogram.
        above: f64,
        /// The margin, as the effect has it.
        tolerance: f64,
        /// When it was found.
        at: Timestamp,
    },
    /// One canary instance has more bad events than the whole baseline by far.
    InstanceAboveTolerance {
        /// Its label's value.
        instance: String,
        /// Its bad events.
        bad: f64,
        /// Its events.
        total: f64,
        /// Bad events of its events.
        ratio: f64,
        /// The rate ratio that is tolerated of an instance.
        tolerance: f64,
        /// When it was found.
        at: Timestamp,
    },
    /// The canary is beyond the bound and the baseline is not.
    ThresholdBreached {
        /// The worst value.
        value: f64,
        /// The bound.
        bound: f64,
        /// The series it came from.
        series: Labels,
        /// When it was found.
        at: Timestamp,
    },
    /// Both cohorts are beyond the bound: not the canary's doing.
    Environment {
        /// The canary's value.
        canary: f64,
        /// The baseline's value.
        baseline: f64,
        /// The bound.
        bound: f64,
    },
    /// The canary is beyond the bound; one more interval confirms it.
    BreachToConfirm {
        /// The worst value.
        value: f64,
        /// The bound.
        bound: f64,
    },
    /// Too few in breach to fail, and not all inside, which a PASS needs.
    SamplesBeyondBound {
        /// How many are beyond.
        beyond: u32,
        /// Of so many.
        samples: u32,
        /// The bound.
        bound: f64,
    },
    /// The baseline's median is 0, so a relative margin has no size.
    NoScale {
        /// The canary's median.
        canary: f64,
    },
    /// All in all the canary is within, and its last intervals alone are not.
    RecentShift {
        /// How many intervals.
        points: u32,
    },
    /// The canary's mean is within, and a tenth of its values is far beyond the baseline's.
    WiderScatter {
        /// The distance of the canary's outer deciles.
        canary: f64,
        /// The baseline's.
        baseline: f64,
        /// What they are measured in.
        unit: Unit,
    },
    /// The interval still reaches past a margin.
    NeedsMoreEvidence {
        /// The effect now; `None` while no event was bad.
        effect: Option<Effect>,
        /// PASS needs the upper bound below.
        pass_within: f64,
    },
    /// What matters lies beyond the largest finite bound of the histogram, where twice as slow
    /// is as slow.
    BeyondBuckets {
        /// The share of events there.
        share: f64,
    },
    /// Too little to say anything.
    TooFewSamples {
        /// How many there are.
        have: f64,
        /// How many it takes.
        need: f64,
    },
    /// The interval looks good; PASS waits for the minimum duration.
    MinDuration {
        /// Until when.
        until: Timestamp,
    },
    /// Nothing counts yet.
    WarmingUp {
        /// Until when.
        until: Timestamp,
    },
    /// Nothing counts yet: the wave has planned to be down.
    PlannedDowntime {
        /// Until when.
        until: Timestamp,
    },
    /// The rules allow no pass at this time.
    WindowClosed {
        /// The entry of the rule file, as it was written.
        by: String,
        /// When it opens; `None` where it does not within a year.
        until: Option<Timestamp>,
    },
    /// Not a single sample of this cohort.
    NoTelemetry {
        /// Whose.
        cohort: Cohort,
    },
    /// Samples arrive and count no event: for five minutes there was nothing to judge.
    NoTraffic {
        /// Whose.
        cohort: Cohort,
    },
    /// Samples are missing.
    LowCoverage {
        /// Whose.
        cohort: Cohort,
        /// The share that arrived.
        coverage: f64,
        /// The share that must.
        need: f64,
        /// True when it is about the last five minutes.
        recent: bool,
        /// Samples since the warm-up that were not a number, which count as missing.
        nan: u32,
    },
    /// Infinite samples are in the window.
    NonFinite {
        /// Whose.
        cohort: Cohort,
        /// How many.
        count: u32,
    },
    /// One series answered for both cohorts.
    CohortsOverlap {
        /// Which.
        series: String,
    },
    /// The source said that its answer lacks data.
    PartialAnswer {
        /// In its own words.
        message: String,
    },
    /// The bad metric exists nowhere.
    BadNeverSeen {
        /// What was asked.
        selector: String,
    },
    /// Every counted check passed.
    AllChecksPassed {
        /// How many.
        checks: u32,
    },
    /// The deadline came and nothing was decided.
    DeadlineReached {
        /// When.
        deadline: Timestamp,
    },
}

impl Cause {
    /// The stable code that goes over the wire.
    pub fn code(&self) -> &'static str {
        match self {
            Self::ShiftAboveTolerance { .. } => "shift_above_tolerance",
            Self::TailAboveTolerance { .. } => "tail_above_tolerance",
            Self::InstanceAboveTolerance { .. } => "instance_above_tolerance",
            Self::RecentShift { .. } => "recent_shift",
            Self::WiderScatter { .. } => "wider_scatter",
            Self::ThresholdBreached { .. } => "threshold_breached",
            Self::Environment { .. } => "environment",
            Self::BreachToConfirm { .. } => "breach_to_confirm",
            Self::SamplesBeyondBound { .. } => "samples_beyond_bound",
            Self::NoScale { .. } => "no_scale",
            Self::NeedsMoreEvidence { .. } => "needs_more_evidence",
            Self::BeyondBuckets { .. } => "beyond_buckets",
            Self::TooFewSamples { .. } => "too_few_samples",
            Self::MinDuration { .. } => "min_duration",
            Self::WarmingUp { .. } => "warming_up",
            Self::PlannedDowntime { .. } => "planned_downtime",
            Self::WindowClosed { .. } => "window_closed",
            Self::NoTelemetry { .. } => "no_telemetry",
            Self::NoTraffic { .. } => "no_traffic",
            Self::LowCoverage { .. } => "low_coverage",
            Self::NonFinite { .. } => "non_finite",
            Self::CohortsOverlap { .. } => "cohorts_overlap",
            Self::BadNeverSeen { .. } => "bad_never_seen",
            Self::PartialAnswer { .. } => "partial_answer",
            Self::AllChecksPassed { .. } => "all_checks_passed",
            Self::DeadlineReached { .. } => "deadline_reached",
        }
    }

    /// Whether it means that the gate could not look.
    pub fn is_blind(&self) -> bool {
        matches!(
            self,
            Self::NoTelemetry { .. }
                | Self::LowCoverage { .. }
                | Self::NonFinite { .. }
                | Self::CohortsOverlap { .. }
                | Self::BadNeverSeen { .. }
                | Self::PartialAnswer { .. }
        )
    }

    /// The order in which reasons are told: the gravest first.
    pub(crate) fn gravity(&self) -> u8 {
        match self {
            Self::ShiftAboveTolerance { .. }
            | Self::TailAboveTolerance { .. }
            | Self::InstanceAboveTolerance { .. }
            | Self::ThresholdBreached { .. } => 0,
            Self::DeadlineReached { .. } => 1,
            Self::Environment { .. } | Self::BreachToConfirm { .. } => 2,
            Self::NoTelemetry { .. }
            | Self::LowCoverage { .. }
            | Self::NonFinite { .. }
            | Self::CohortsOverlap { .. }
            | Self::BadNeverSeen { .. }
            | Self::PartialAnswer { .. } => 3,
            Self::WarmingUp { .. } | Self::PlannedDowntime { .. } => 4,
            Self::TooFewSamples { .. }
            | Self::BeyondBuckets { .. }
            | Self::NoTraffic { .. }
            | Self::NoScale { .. }
            | Self::SamplesBeyondBound { .. } => 5,
            Self::RecentShift { .. } | Self::WiderScatter { .. } | Self::NeedsMoreEvidence { .. } => 6,
            Self::MinDuration { .. } => 7,
            Self::WindowClosed { .. } => 8,
            Self::AllChecksPassed { .. } => 9,
        }
    }
}
