//! What a look says, with every number it rests on.

use crate::judge::Cause;
use crate::judge::budget::BudgetOutcome;
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
    /// What the error budget says; `None` where the rule file minds none.
    pub budget: Option<BudgetOutcome>,
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
