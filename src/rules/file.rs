//! A rule file that has been read: every value in range, every query parsed.
//!
//! There is no way to make one but [`crate::rules::parse()`], so nobody right of
//! here asks again whether a rule makes sense.

use crate::rules::Policies;
use crate::rules::Probe;
use crate::rules::Slo;
use crate::rules::Traffic;
use crate::rules::Windows;
use crate::rules::query::Cohorts;
use crate::rules::query::GaugeQuery;
use crate::rules::query::PromQl;
use crate::rules::query::Selector;
use std::sync::Arc;
use std::time::Duration;

/// One gate's rules.
#[derive(Clone, Debug, PartialEq)]
pub struct RuleFile {
    /// What the gate is called, in URLs and reports.
    pub name: RulesName,
    /// For people.
    pub description: Option<String>,
    /// A source of the configuration; `None` where there is but one.
    pub source: Option<String>,
    /// Who is judged against whom.
    pub cohorts: Cohorts,
    /// When looks happen.
    pub schedule: Schedule,
    /// The promised risks.
    pub risk: Risk,
    /// At least one, names unique, in the order of the file.
    pub checks: Vec<Check>,
    /// How much of the evidence must be there.
    pub telemetry: Telemetry,
    /// Whether its verdict is obeyed.
    pub mode: Mode,
    /// When no gate may pass; `None` where it may at any time.
    pub windows: Option<Windows>,
    /// Planned, from the start of the wave: kept out of the evidence and of what the
    /// wave spends of the error budget. Zero where nothing is planned.
    pub downtime: Duration,
    /// What must be attested before the gate may pass, in the order of the file.
    pub requires: Vec<String>,
    /// What a wave may set: variables of queries and matchers beside `$wave`, in the order of the file.
    pub params: Vec<Param>,
    /// The error budget that this gate minds.
    pub budget: Option<Budget>,
    /// Whether a new value of the wave's label in the source opens its gate by itself.
    pub discover: bool,
    /// An ordinary day, for planning and simulation alone.
    pub traffic: Traffic,
    /// SHA-256 of the file's bytes, of its base's and of its SLO's.
    pub digest: Digest,
}

/// Whether a gate's verdict is obeyed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It is what it says.
    Enforce,
    /// Everything is judged and reported; the verdict is always `pass`, with what it
    /// would have said beside it.
    Observe,
}

/// A variable that a wave may set, in label values only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Param {
    /// Without its `$`: 1 to 64 of `a-z A-Z 0-9 _`, beginning with a letter.
    pub name: String,
    /// What it is where a wave does not say; `None` where a wave must.
    pub default: Option<String>,
}

/// The error budget that a gate minds.
#[derive(Clone, Debug, PartialEq)]
pub struct Budget {
    /// The SLO, as it was when the file was read.
    pub slo: Arc<Slo>,
    /// Its policies, with what the file changes of them.
    pub policies: Policies,
}

/// A rule file's name: 1 to 64 of `a-z A-Z 0-9 . _ -`, beginning with a letter or digit.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RulesName(String);

impl RulesName {
    /// `None` where `text` is not such a name.
    pub fn new(text: &str) -> Option<Self> {
        let begins = text.starts_with(|c: char| c.is_ascii_alphanumeric());
        let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'));
        (begins && plain && text.len() <= 64).then(|| Self(text.to_owned()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for RulesName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// `sha256:` and 64 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Digest(String);

impl Digest {
    /// The digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        use sha2::Digest as _;
        use std::fmt::Write as _;
        let mut text = String::from("sha256:");
        for byte in sha2::Sha256::digest(bytes) {
            let _ = write!(text, "{byte:02x}");
        }
        Self(text)
    }

    /// The digest that `text` is; `None` where it is none.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix("sha256:")?;
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        (digits.len() == 64 && digits.bytes().all(is_digit)).then(|| Self(text.to_owned()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// When looks happen, all counted from the start of the wave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// The grid of looks.
    pub interval: Duration,
    /// Left out of the evidence.
    pub warmup: Duration,
    /// No PASS before.
    pub min_duration: Duration,
    /// No look after. `warmup < min_duration <= deadline`.
    pub deadline: Duration,
    /// What happens at the deadline when nothing is decided.
    pub on_deadline: OnDeadline,
    /// How long samples take to arrive: a look runs so much later.
    pub settle: Duration,
}

/// What happens at the deadline when nothing is decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnDeadline {
    /// Hold: ask a person.
    Pause,
    /// The wave fails.
    Fail,
}

/// The promised risks, each in (0, 0.5).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Risk {
    /// Of failing a good canary, over all statistical checks and looks.
    pub false_fail: f64,
    /// Of passing one worse than a check's `pass_within`, a check.
    pub false_pass: f64,
    /// How `false_fail` is given to the looks.
    pub spending: Spending,
}

/// How the risk of a false FAIL is given to the looks of a wave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spending {
    /// In proportion to the time: large regressions are found early.
    Linear,
    /// Little at first (O'Brien, Fleming): more power at the end.
    Obf,
}

/// How much of the evidence must be there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Telemetry {
    /// The share of expected samples, over the window and over the last five
    /// minutes, under which a check is blind; in (0, 1].
    pub coverage: f64,
}

/// One metric with its policy.
#[derive(Clone, Debug, PartialEq)]
pub struct Check {
    /// 1 to 64 of `a-z A-Z 0-9 . _ -`; unique in the file.
    pub name: String,
    /// What is measured and how it is tested.
    pub kind: CheckKind,
    /// What a failing check does to the wave.
    pub on_fail: OnFail,
    /// Cohorts of this check alone, in place of the file's.
    pub cohorts: Option<Cohorts>,
    /// What must be requested for there to be evidence; `None` where a source has it.
    pub probe: Option<Probe>,
}

impl Check {
    /// Whether the wave's verdict depends on it.
    pub fn counts(&self) -> bool {
        self.on_fail != OnFail::Report
    }
}

/// What a failing check does to the wave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFail {
    /// The wave fails.
    Fail,
    /// A person is asked.
    Pause,
    /// It is shown and never counted.
    Report,
}

/// What is measured and how it is tested.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "a gate has a handful of checks, read once")]
pub enum CheckKind {
    /// Bad events out of all events.
    Ratio {
        /// Counter of bad events.
        bad: Selector,
        /// Counter of all events.
        total: Selector,
        /// A canary ratio below this is good enough; 0 turns it off.
        floor: f64,
        /// The margins, as rate ratios above 1.
        policy: Policy,
    },
    /// A histogram of every event's value.
    Histogram {
        /// The metric without `_bucket`.
        metric: Selector,
        /// The margins, as probability above one half, in (0, 0.5).
        policy: Policy,
    },
    /// The tail of a histogram: how many events lie beyond a quantile of the baseline.
    Quantile {
        /// The metric without `_bucket`.
        metric: Selector,
        /// Which quantile, in [0.5, 1).
        quantile: f64,
        /// The margins, as relative change of the quantile above 0. More is worse.
        policy: Policy,
    },
    /// One value an interval.
    Gauge {
        /// What is asked.
        query: GaugeQuery,
        /// What it is divided by: the value is judged as it is and for each of these (G-9).
        per: Option<GaugeQuery>,
        /// How it is tested.
        test: GaugeTest,
        /// What the margins are measured in.
        scale: GaugeScale,
        /// The margins, above 0.
        policy: Policy,
    },
    /// A bound that no series may pass.
    Threshold {
        /// What is asked.
        query: PromQl,
        /// The bound.
        bound: Bound,
        /// How many samples of how many must be beyond it.
        breach: Breach,
    },
}

impl CheckKind {
    /// What documents call it.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Ratio { .. } => "ratio",
            Self::Histogram { .. } => "histogram",
            Self::Quantile { .. } => "quantile",
            Self::Gauge { .. } => "gauge",
            Self::Threshold { .. } => "threshold",
        }
    }

    /// The policy; `None` for a threshold, which is not a statistical check.
    pub fn policy(&self) -> Option<&Policy> {
        match self {
            Self::Ratio { policy, .. }
            | Self::Histogram { policy, .. }
            | Self::Quantile { policy, .. }
            | Self::Gauge { policy, .. } => Some(policy),
            Self::Threshold { .. } => None,
        }
    }
}

/// The policy of a statistical check.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Policy {
    /// Which way is worse.
    pub worse: Worse,
    /// FAIL needs the lower bound above this. At least the value of "no change".
    pub tolerance: f64,
    /// PASS needs the upper bound below this. Above `tolerance`.
    pub pass_within: f64,
    /// The share of the false-fail risk, above 0.
    pub weight: f64,
    /// Intervals with evidence before anything is said; at least 2.
    pub min_points: u32,
}

/// Which way is worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Worse {
    /// More is worse.
    Increase,
    /// Less is worse.
    Decrease,
    /// Any change is worse.
    Either,
}

/// How a gauge is tested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GaugeTest {
    /// The mean of the differences of values of one moment (G-1 … G-8).
    Paired {
        /// Where it is heading is judged too (G-10).
        drift: bool,
        /// Disturbances that last for minutes are taken into account, at the cost of time.
        strict: bool,
    },
    /// The rank test, corrected for autocorrelation and looks (MW-5).
    MannWhitney,
    /// Means of instances against means of instances (P-1), where there are at least 3
    /// canary and 5 baseline instances at the first look; else paired.
    ByInstance,
}

/// What the margins of a gauge are measured in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum GaugeScale {
    /// Relative change: of logarithms where every value is positive, else of the baseline's median.
    Relative,
    /// Relative change of the baseline's median, whatever the values.
    Median,
    /// The unit of the query.
    Absolute,
    /// Relative change and the unit of the query: FAIL needs both margins exceeded.
    Both {
        /// FAIL needs the lower bound above this, in the unit of the query.
        tolerance: f64,
        /// PASS needs the upper bound below this, where it is not below the relative one.
        pass_within: f64,
    },
}

/// The bound of a threshold. A value equal to it is within.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bound {
    /// Values above are a breach.
    Max(f64),
    /// Values below are a breach.
    Min(f64),
}

/// `count of samples`: that many of the last samples beyond the bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Breach {
    /// At least 1, at most `samples`.
    pub count: u32,
    /// At most 60.
    pub samples: u32,
}
