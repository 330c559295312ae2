//! A rule file that has been read: every value in range, every query parsed.
//!
//! There is no way to make one but [`crate::rules::parse()`], so nobody right of
//! here asks again whether a rule makes sense.

use crate::rules::Probe;
use crate::rules::query::Cohorts;
use crate::rules::query::GaugeQuery;
use crate::rules::query::PromQl;
use crate::rules::query::Selector;
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
    /// SHA-256 of the file's bytes.
    pub digest: Digest,
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
    /// One value an interval.
    Gauge {
        /// What is asked.
        query: GaugeQuery,
        /// How it is tested.
        test: GaugeTest,
        /// The margins, as relative change above 0.
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
    /// Its key in a rule file.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Ratio { .. } => "ratio",
            Self::Histogram { .. } => "histogram",
            Self::Gauge { .. } => "gauge",
            Self::Threshold { .. } => "threshold",
        }
    }

    /// The policy; `None` for a threshold, which is not a statistical check.
    pub fn policy(&self) -> Option<&Policy> {
        match self {
            Self::Ratio { policy, .. } | Self::Histogram { policy, .. } | Self::Gauge { policy, .. } => Some(policy),
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
    /// The default of the kind.
    Default,
    /// The rank test, corrected for autocorrelation and looks (MW-5).
    MannWhitney,
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
