//! One check: what it remembers, and what it says at a look.

use crate::judge::Cause;
use crate::judge::CheckOutcome;
use crate::judge::Cohort;
use crate::judge::Effect;
use crate::judge::Expected;
use crate::judge::Margins;
use crate::judge::Outcome;
use crate::judge::Sizes;
use crate::judge::Timing;
use crate::judge::Warning;
use crate::judge::alone::AloneState;
use crate::judge::arrivals::Arrivals;
use crate::judge::gauge::GaugeState;
use crate::judge::histogram::HistogramState;
use crate::judge::levels::Levels;
use crate::judge::looks::Bounds;
use crate::judge::looks::Looks;
use crate::judge::looks::Place;
use crate::judge::outlook::Coming;
use crate::judge::outlook::Outlook;
use crate::judge::quantile::QuantileState;
use crate::judge::ratio::RatioState;
use crate::judge::threshold::ThresholdState;
use crate::rules::Check;
use crate::rules::CheckKind;
use crate::rules::RuleFile;
use crate::rules::Worse;
use crate::series::CheckEvidence;
use crate::series::Fault;
use crate::series::Measure;
use crate::series::Notice;
use crate::series::Observed;
use crate::series::Timestamp;
use crate::stats;
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
    spent: f64,
    /// The FAIL that was found: it stays.
    failed: Option<Cause>,
    /// The PASS boundary was crossed at some look, and nothing has forbidden a PASS since.
    crossed: bool,
    /// It would be within, if nothing forbade it.
    held_back: bool,
    /// What the last look read and found.
    reading: Reading,
    open: Cause,
    expected: Option<Expected>,
}

#[cfg(test)]
crate::judge::footprint::fields!(CheckState: test, canary, baseline, reading);

#[derive(Clone, Debug, PartialEq)]
enum Test {
    Ratio(Box<RatioState>),
    Alone(Box<AloneState>),
    Histogram(HistogramState),
    Quantile(Box<QuantileState>),
    Gauge(Box<GaugeState>),
    Threshold(ThresholdState),
}

#[cfg(test)]
impl crate::judge::footprint::Footprint for Test {
    fn heap(&self) -> usize {
        match self {
            Self::Ratio(state) => state.heap(),
            Self::Alone(state) => state.heap(),
            Self::Histogram(state) => state.heap(),
            Self::Quantile(state) => state.heap(),
            Self::Gauge(state) => state.heap(),
            Self::Threshold(state) => state.heap(),
        }
    }
}

/// What a test read at a look.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Reading {
    pub(crate) effect: Option<Effect>,
    pub(crate) n: Sizes,
    pub(crate) effective_n: Option<f64>,
    /// Where they are not those of the rule file.
    pub(crate) margins: Option<Margins>,
    pub(crate) details: Vec<(&'static str, f64)>,
    pub(crate) warnings: Vec<Warning>,
}

#[cfg(test)]
crate::judge::footprint::fields!(Reading: details);

/// What a test concludes from what it read at a planned look.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Finding {
    pub(crate) reading: Reading,
    /// The lower bound is above the tolerance: FAIL.
    pub(crate) worse: Option<Cause>,
    /// The upper bound is below `pass_within`; it counts where a PASS may be found.
    pub(crate) within: bool,
    /// What forbids a PASS at this look, whatever was found before.
    pub(crate) unsure: Option<Cause>,
    /// Why it is neither.
    pub(crate) open: Cause,
    pub(crate) outlook: Outlook,
}

impl Finding {
    /// Neither, because of `open`.
    pub(crate) fn open(reading: Reading, open: Cause) -> Self {
        Self { reading, worse: None, within: false, unsure: None, open, outlook: Outlook::default() }
    }

    /// Takes back that it is within, if there is a cause to.
    pub(crate) fn hold_back(&mut self, cause: Option<Cause>) {
        if let Some(cause) = cause {
            self.within = false;
            self.open = cause;
        }
    }

    /// Two tests of one check: either fails it, and it is within where both are.
    pub(crate) fn and(self, other: Self) -> Self {
        let outlook = Outlook::of_all(&[self.outlook, other.outlook]);
        let (worse, within, unsure) =
            (self.worse.or(other.worse), self.within && other.within, self.unsure.or(other.unsure));
        // What is shown is what is waited for.
        let waits_for_other = self.within && !other.within;
        let open = if waits_for_other { other.open } else { self.open };
        let effect = if waits_for_other { other.reading.effect } else { self.reading.effect };
        Self { reading: Reading { effect, ..self.reading }, worse, within, unsure, open, outlook }
    }

    /// Two margins of one test: it fails by both, and is within by either.
    pub(crate) fn or(self, other: &Self) -> Self {
        let is_clear = |finding: &Self| finding.within && finding.unsure.is_none();
        let within = is_clear(&self) || is_clear(other);
        let unsure = self.unsure.filter(|_| other.unsure.is_some());
        Self { worse: self.worse.filter(|_| other.worse.is_some()), within, unsure, ..self }
    }
}

/// A look, as a check sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look {
    /// When.
    pub(crate) at: Timestamp,
    /// Its place among the planned looks, if it is one: only those spend risk.
    pub(crate) place: Option<Place>,
    /// The place of this look or else of the next planned one.
    pub(crate) next: Option<Place>,
    /// The end of the minimum duration.
    pub(crate) min_end: Timestamp,
    /// The share of samples that must have arrived.
    pub(crate) coverage: f64,
}

/// A planned look, as a test sees it.
pub(crate) struct Sight<'a> {
    pub(crate) at: Timestamp,
    pub(crate) place: Place,
    pub(crate) looks: &'a mut Looks,
    pub(crate) levels: Levels,
}

impl Sight<'_> {
    /// What a FAIL takes at this look.
    pub(crate) fn fail_bound(&self, bounds: &Bounds) -> f64 {
        bounds.get(self.place.look).copied().unwrap_or(f64::INFINITY)
    }

    /// What a PASS takes at this look, or at the next that may find one.
    pub(crate) fn pass_bound(&self, bounds: &Bounds) -> f64 {
        bounds.get(self.place.pass).copied().unwrap_or(f64::INFINITY)
    }

    /// The logarithms of the tails beyond both bounds.
    pub(crate) fn tails(&mut self, levels: Levels) -> (f64, f64) {
        let (fail, pass) = (self.looks.fail_bounds(levels.alpha), self.looks.pass_bounds(levels.beta));
        (stats::normal_upper_ln(self.fail_bound(&fail)), stats::normal_upper_ln(self.pass_bound(&pass)))
    }

    /// What a FAIL takes at this look at the risk of `levels`.
    pub(crate) fn needed(&mut self, levels: Levels) -> f64 {
        let bounds = self.looks.fail_bounds(levels.alpha);
        self.fail_bound(&bounds)
    }
}

impl CheckState {
    pub(crate) fn new(rules: &RuleFile, check: &Check, timing: &Timing) -> Self {
        let alone = check.cohorts.as_ref().unwrap_or(&rules.cohorts).baseline.is_none();
        let interval = timing.interval;
        Self {
            test: match &check.kind {
                CheckKind::Ratio { policy, floor, .. } if alone => {
                    Test::Alone(Box::new(AloneState::new(*policy, *floor, interval)))
                }
                CheckKind::Ratio { policy, floor, .. } => {
                    Test::Ratio(Box::new(RatioState::new(*policy, *floor, interval)))
                }
                CheckKind::Histogram { policy, .. } => Test::Histogram(HistogramState::new(*policy, interval)),
                CheckKind::Quantile { policy, quantile, .. } => {
                    Test::Quantile(Box::new(QuantileState::new(*policy, *quantile, interval)))
                }
                CheckKind::Gauge { policy, test, scale, .. } => {
                    Test::Gauge(Box::new(GaugeState::new(*policy, *test, *scale, interval)))
                }
                CheckKind::Threshold { bound, breach, .. } => Test::Threshold(ThresholdState::new(*bound, *breach)),
            },
            levels: Levels::of(rules, check),
            canary: Arrivals::new(Cohort::Canary, interval),
            baseline: (!alone).then(|| Arrivals::new(Cohort::Baseline, interval)),
            faults: Vec::new(),
            notices: BTreeSet::new(),
            looks: 0,
            spent: 0.0,
            failed: None,
            crossed: false,
            held_back: false,
            reading: Reading::default(),
            open: Cause::TooFewSamples { have: 0.0, need: 1.0 },
            expected: None,
        }
    }

    /// Has the tables made that its looks will ask for: a gate pays for them when it opens.
    pub(crate) fn prepare(&self, looks: &mut Looks) {
        let Some(levels) = self.levels else { return };
        match &self.test {
            Test::Ratio(state) => state.prepare(levels, looks),
            Test::Alone(_) => AloneState::prepare(levels, looks),
            Test::Histogram(state) => state.prepare(levels, looks),
            Test::Quantile(_) => QuantileState::prepare(levels, looks),
            Test::Gauge(state) => state.prepare(levels, looks),
            Test::Threshold(_) => {}
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
            Test::Ratio(state) => state.fold(evidence, at),
            Test::Alone(state) => state.fold(evidence, at),
            Test::Histogram(state) => state.fold(evidence),
            Test::Quantile(state) => state.fold(evidence, at),
            Test::Gauge(state) => state.fold(evidence),
            Test::Threshold(state) => state.fold(evidence, at),
        };
        // What was not a number on one instance is missing, whatever the others had.
        let shown = |observed: &Observed| taken && observed.nan == 0 && observed.measure != Measure::Nothing;
        let side = |observed: &Observed| if shown(observed) { observed.seen } else { 0 };
        self.canary.add(&evidence.canary, side(&evidence.canary));
        if let Some(arrivals) = &mut self.baseline {
            match &evidence.baseline {
                Some(observed) => arrivals.add(observed, side(observed)),
                None => arrivals.add(&Observed::nothing(evidence.canary.expected), 0),
            }
        }
    }

    /// The FAIL that needs no planned look.
    fn fast(&self, at: Timestamp) -> Option<Cause> {
        match (&self.test, self.levels) {
            (Test::Ratio(state), Some(levels)) => state.fast(levels, at),
            (Test::Alone(state), Some(levels)) => state.fast(levels, at),
            (Test::Quantile(state), Some(levels)) => state.fast(levels, at),
            _ => None,
        }
    }

    /// Looks. A planned look reads and concludes; at any other the check stands by what it
    /// said, but for a threshold, which has no risk to spend.
    pub(crate) fn look(&mut self, look: &Look, looks: &mut Looks, timing: &Timing) {
        self.looks += u32::from(look.place.is_some());
        if let Test::Threshold(state) = &self.test {
            let finding = state.look();
            (self.failed, self.crossed, self.open) = (finding.worse, finding.within, finding.open);
            self.reading = finding.reading;
            return;
        }
        let Some(levels) = self.levels.filter(|_| self.failed.is_none()) else { return };
        self.failed = self.fast(look.at);
        if look.place.is_none() && self.failed.is_none() {
            return;
        }
        let Some(place) = look.place.or(look.next) else { return };
        self.spent = looks.spent(levels.alpha, place);
        let mut sight = Sight { at: look.at, place, looks, levels };
        let finding = match &mut self.test {
            Test::Ratio(state) => state.look(&mut sight),
            Test::Alone(state) => state.look(&mut sight),
            Test::Histogram(state) => state.look(&mut sight),
            Test::Quantile(state) => state.look(&mut sight),
            Test::Gauge(state) => state.look(&mut sight),
            Test::Threshold(_) => return,
        };
        let when = |index| timing.window(index).to;
        let coming = finding.outlook.coming(looks, place).map(|coming| match coming {
            Coming::Fail(index) => Expected { outcome: Outcome::Fail, at: when(index) },
            Coming::Pass(index) => Expected { outcome: Outcome::Pass, at: when(index) },
        });
        // If everything stays as it is, what forbids a PASS goes on to.
        self.expected = coming.filter(|coming| coming.outcome != Outcome::Pass || finding.unsure.is_none());
        if look.place.is_some() {
            self.failed = self.failed.take().or(finding.worse);
            // What forbids a PASS also takes back the one that was found: it is looked for again.
            let was_within = self.crossed || self.held_back || finding.within;
            let forbidden = finding.unsure.is_some() || !self.blindness(look.coverage).is_empty();
            self.held_back = finding.unsure.is_some() && was_within;
            self.crossed = !forbidden && (self.crossed || finding.within && place.may_pass);
        }
        // A shift is of interest where it holds back a PASS; a check that sees nothing says so.
        let is_told = |cause: &Cause| self.held_back || !matches!(cause, Cause::RecentShift { .. });
        self.open = finding.unsure.filter(is_told).unwrap_or(finding.open);
        self.reading = finding.reading;
    }

    /// What it says now.
    pub(crate) fn outcome(&self, check: &Check, look: &Look) -> CheckOutcome {
        let mut reasons = self.blindness(look.coverage);
        let outcome = if let Some(cause) = &self.failed {
            reasons.insert(0, cause.clone());
            Outcome::Fail
        } else if !self.crossed {
            reasons.push(self.open.clone());
            Outcome::Inconclusive
        } else if !reasons.is_empty() {
            Outcome::Inconclusive
        } else if look.at < look.min_end {
            reasons.push(Cause::MinDuration { until: look.min_end });
            Outcome::Inconclusive
        } else {
            Outcome::Pass
        };
        CheckOutcome {
            name: check.name.clone(),
            kind: check.kind.word(),
            outcome,
            on_fail: check.on_fail,
            effect: self.effect(),
            margins: self.reading.margins.or_else(|| margins(&check.kind)),
            threshold: match &self.test {
                Test::Threshold(state) => Some(state.reading()),
                Test::Ratio(_) | Test::Alone(_) | Test::Histogram(_) | Test::Quantile(_) | Test::Gauge(_) => None,
            },
            looks: self.looks,
            n: self.reading.n,
            effective_n: self.reading.effective_n,
            alpha: self.levels.map(|levels| levels.alpha),
            alpha_spent: self.levels.map(|_| self.spent),
            expected: if outcome == Outcome::Inconclusive { self.expected } else { None },
            coverage: Sizes {
                canary: self.canary.coverage(),
                baseline: self.baseline.as_ref().map_or(0.0, Arrivals::coverage),
            },
            reasons,
            notices: self.notices.iter().cloned().collect(),
            warnings: self.reading.warnings.clone(),
            details: self.reading.details.clone(),
        }
    }

    /// The effect at the last look; of a FAIL that of the look it was found at.
    fn effect(&self) -> Option<Effect> {
        match &self.failed {
            Some(Cause::ShiftAboveTolerance { effect, .. } | Cause::TailAboveTolerance { effect, .. }) => Some(*effect),
            _ => self.reading.effect,
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

pub(crate) fn cause_of(fault: &Fault) -> Cause {
    match fault {
        Fault::CohortsOverlap { series } => Cause::CohortsOverlap { series: series.clone() },
        Fault::BadNeverSeen { selector } => Cause::BadNeverSeen { selector: selector.clone() },
        Fault::ThresholdNotABucket { threshold, bounds } => {
            Cause::ThresholdNotABucket { threshold: threshold.clone(), bounds: bounds.clone() }
        }
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
        CheckKind::Ratio { .. }
        | CheckKind::Quantile { .. }
        | CheckKind::Gauge { .. }
        | CheckKind::Threshold { .. } => margin,
    };
    // A quantile's are told by the test, as the rate ratios that they mean at a bound.
    if matches!(kind, CheckKind::Quantile { .. }) {
        return None;
    }
    Some(Margins { tolerance: seen(policy.tolerance), pass_within: seen(policy.pass_within) })
}
