//! One check: what it remembers, and what it says at a look.

use crate::judge::Cause;
use crate::judge::CheckOutcome;
use crate::judge::Cohort;
use crate::judge::Effect;
use crate::judge::Margins;
use crate::judge::Outcome;
use crate::judge::Sizes;
use crate::judge::Timing;
use crate::judge::arrivals::Arrivals;
use crate::judge::gauge::GaugeState;
use crate::judge::histogram::HistogramState;
use crate::judge::levels::Levels;
use crate::judge::ratio::RatioState;
use crate::judge::threshold::ThresholdState;
use crate::rules::Check;
use crate::rules::CheckKind;
use crate::rules::RuleFile;
use crate::rules::Worse;
use crate::series::CheckEvidence;
use crate::series::Fault;
use crate::series::Notice;
use crate::series::Observed;
use crate::series::Timestamp;
use std::collections::BTreeSet;

/// Different notices kept for a check: more would bury the numbers.
const NOTICES_MAX: usize = 8;

/// What a check remembers of the intervals so far.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct CheckState {
    test: Test,
    levels: Option<Levels>,
    canary: Arrivals,
    baseline: Option<Arrivals>,
    /// Faults of the last interval.
    faults: Vec<Fault>,
    notices: BTreeSet<Notice>,
    looks: u32,
    /// What the last planned look read and found; a FAIL stays.
    reading: Reading,
    finding: Finding,
}

#[derive(Clone, Debug, PartialEq)]
enum Test {
    Ratio(Box<RatioState>),
    Histogram(HistogramState),
    Gauge(GaugeState),
    Threshold(ThresholdState),
}

/// What a test read at a look.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Reading {
    pub(crate) effect: Option<Effect>,
    pub(crate) n: Sizes,
    pub(crate) effective_n: Option<f64>,
    pub(crate) details: Vec<(&'static str, f64)>,
}

/// What a test concludes from what it read.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Finding {
    /// The lower bound is above the tolerance.
    Worse(Cause),
    /// The upper bound is below `pass_within`.
    Within,
    /// Neither.
    Open(Cause),
}

/// A look, as a check sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look {
    /// When.
    pub(crate) at: Timestamp,
    /// Whether it may spend risk.
    pub(crate) planned: bool,
    /// The end of the minimum duration.
    pub(crate) min_end: Timestamp,
    /// The share of samples that must have arrived.
    pub(crate) coverage: f64,
}

impl CheckState {
    pub(crate) fn new(rules: &RuleFile, check: &Check, timing: &Timing) -> Self {
        let alone = check.cohorts.as_ref().unwrap_or(&rules.cohorts).baseline.is_none();
        Self {
            test: match &check.kind {
                CheckKind::Ratio { policy, floor, .. } => {
                    Test::Ratio(Box::new(RatioState::new(*policy, *floor, timing.interval)))
                }
                CheckKind::Histogram { policy, .. } => Test::Histogram(HistogramState::new(*policy, timing.interval)),
                CheckKind::Gauge { policy, test, .. } => Test::Gauge(GaugeState::new(*policy, *test, timing.interval)),
                CheckKind::Threshold { bound, breach, .. } => Test::Threshold(ThresholdState::new(*bound, *breach)),
            },
            levels: Levels::of(rules, check, timing),
            canary: Arrivals::new(Cohort::Canary, timing.interval),
            baseline: (!alone).then(|| Arrivals::new(Cohort::Baseline, timing.interval)),
            faults: Vec::new(),
            notices: BTreeSet::new(),
            looks: 0,
            reading: Reading::default(),
            finding: Finding::Open(Cause::TooFewSamples { have: 0.0, need: 1.0 }),
        }
    }

    /// Takes one interval. Evidence with a fault is neither used nor counted as seen:
    /// what is incomplete may accuse the canary as wrongly as it may clear it.
    pub(crate) fn fold(&mut self, evidence: &CheckEvidence, at: Timestamp) {
        self.faults.clone_from(&evidence.faults);
        for notice in &evidence.notices {
            if self.notices.len() < NOTICES_MAX {
                self.notices.insert(notice.clone());
            }
        }
        let usable = evidence.faults.is_empty();
        let taken = match &mut self.test {
            Test::Gauge(state) if !usable => {
                state.skip();
                false
            }
            _ if !usable => false,
            Test::Ratio(state) => state.fold(evidence),
            Test::Histogram(state) => state.fold(evidence),
            Test::Gauge(state) => state.fold(evidence),
            Test::Threshold(state) => state.fold(evidence, at),
        };
        // What was not a number on one instance is missing, whatever the others had.
        let side = |observed: &Observed| if taken && observed.nan == 0 { observed.seen } else { 0 };
        self.canary.add(&evidence.canary, side(&evidence.canary));
        if let Some(arrivals) = &mut self.baseline {
            match &evidence.baseline {
                Some(observed) => arrivals.add(observed, side(observed)),
                None => arrivals.add(&Observed::nothing(evidence.canary.expected), 0),
            }
        }
    }

    /// Looks. A planned look reads and concludes; at any other the check stands by
    /// what it said, but for what may be asked at any time.
    pub(crate) fn look(&mut self, look: &Look) {
        self.looks += u32::from(look.planned);
        if matches!(self.finding, Finding::Worse(_)) {
            return;
        }
        let (reading, finding) = match (&mut self.test, self.levels) {
            (Test::Ratio(state), Some(levels)) if look.planned || state.is_worse(levels) => state.look(levels, look.at),
            (Test::Histogram(state), Some(levels)) if look.planned => state.look(levels, look.at),
            (Test::Gauge(state), Some(levels)) if look.planned => state.look(levels, look.at),
            (Test::Threshold(state), _) => state.look(),
            _ => return,
        };
        self.reading = reading;
        self.finding = finding;
    }

    /// What it says now.
    pub(crate) fn outcome(&self, check: &Check, look: &Look) -> CheckOutcome {
        let mut reasons = self.blindness(look.coverage);
        let outcome = match &self.finding {
            Finding::Worse(cause) => {
                reasons.insert(0, cause.clone());
                Outcome::Fail
            }
            Finding::Open(cause) => {
                reasons.push(cause.clone());
                Outcome::Inconclusive
            }
            Finding::Within if !reasons.is_empty() => Outcome::Inconclusive,
            Finding::Within if look.at < look.min_end => {
                reasons.push(Cause::MinDuration { until: look.min_end });
                Outcome::Inconclusive
            }
            Finding::Within => Outcome::Pass,
        };
        CheckOutcome {
            name: check.name.clone(),
            kind: check.kind.word(),
            outcome,
            on_fail: check.on_fail,
            effect: self.reading.effect,
            margins: margins(&check.kind),
            threshold: match &self.test {
                Test::Threshold(state) => Some(state.reading()),
                Test::Ratio(_) | Test::Histogram(_) | Test::Gauge(_) => None,
            },
            looks: self.looks,
            n: self.reading.n,
            effective_n: self.reading.effective_n,
            alpha: self.levels.map(|levels| levels.alpha),
            coverage: Sizes {
                canary: self.canary.coverage(),
                baseline: self.baseline.as_ref().map_or(0.0, Arrivals::coverage),
            },
            reasons,
            notices: self.notices.iter().cloned().collect(),
            details: self.reading.details.clone(),
        }
    }

    /// Whether the check sees, and no incident hits both cohorts.
    pub(crate) fn is_healthy(&self, coverage: f64) -> bool {
        let incident = matches!(&self.test, Test::Threshold(state) if state.is_environment());
        !incident && self.blindness(coverage).is_empty()
    }

    /// Why it could not look, if it could not: the faults of the last interval, then
    /// what did not arrive.
    fn blindness(&self, coverage: f64) -> Vec<Cause> {
        let mut causes: Vec<Cause> = self.faults.iter().map(cause_of).collect();
        causes.extend(self.canary.fault(coverage));
        causes.extend(self.baseline.as_ref().and_then(|arrivals| arrivals.fault(coverage)));
        causes
    }
}

fn cause_of(fault: &Fault) -> Cause {
    match fault {
        Fault::CohortsOverlap { series } => Cause::CohortsOverlap { series: series.clone() },
        Fault::BadNeverSeen { selector } => Cause::BadNeverSeen { selector: selector.clone() },
        Fault::PartialAnswer { message } => Cause::PartialAnswer { message: message.clone() },
    }
}

/// The margins as the effect shows them; for a check of either side the upper ones.
fn margins(kind: &CheckKind) -> Option<Margins> {
    let policy = kind.policy()?;
    let down = policy.worse == Worse::Decrease;
    let seen = |margin: f64| match kind {
        CheckKind::Ratio { .. } if down => margin.recip(),
        CheckKind::Histogram { .. } if down => 0.5 - margin,
        CheckKind::Histogram { .. } => 0.5 + margin,
        CheckKind::Gauge { .. } if down => -margin,
        CheckKind::Ratio { .. } | CheckKind::Gauge { .. } | CheckKind::Threshold { .. } => margin,
    };
    Some(Margins { tolerance: seen(policy.tolerance), pass_within: seen(policy.pass_within) })
}
