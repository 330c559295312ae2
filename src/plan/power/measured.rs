//! An ordinary day as the past shows it: the baseline against itself.
//!
//! Two halves of one cohort differ by noise alone. What they share hits them alike and is
//! gone from their difference, as it is from that of a canary and its baseline; so the
//! deviation and the memory of the difference are those that a wave will have, but for the
//! number of instances. Where there is nothing to halve, one cohort is read in time: what
//! would have cancelled is then in the noise, and the plan is more careful than the wave.

use crate::plan::ordinary::ordinary;
use crate::plan::power::Shape;
use crate::rules::Check;
use crate::rules::CheckKind;
use crate::rules::CheckTraffic;
use crate::rules::GaugeScale;
use crate::rules::RuleFile;
use crate::series::Buckets;
use crate::series::CheckEvidence;
use crate::series::Fault;
use crate::series::IntervalEvidence;
use crate::series::Measure;
use crate::series::Observed;
use crate::stats;
use std::time::Duration;

/// Fewer intervals than this show no noise.
const LEAST_INTERVALS: usize = 20;
/// No noise is smaller: values that never differ would make everything certain.
const LEAST_NOISE: f64 = 1e-4;
/// Latencies of a histogram that are told.
const QUANTILES: [f64; 2] = [0.5, 0.99];

/// What the past showed of one check.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    /// The check.
    pub check: String,
    /// What documents call its kind.
    pub kind: &'static str,
    /// The ordinary day: measured where it could be, stated elsewhere.
    pub traffic: CheckTraffic,
    /// The histogram, where it has one.
    pub shape: Option<Shape>,
    /// How it was measured.
    pub how: How,
    /// Intervals that both halves had.
    pub intervals: usize,
}

/// How an ordinary day was measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// Two halves of the baseline's instances.
    Halves,
    /// One cohort, in time.
    InTime,
    /// It was not: too little was there, and what is stated stands.
    Stated,
}

/// Reads the `evidence` of `rules` in which the canary is one half of the baseline and the
/// baseline the other, with so many instances in each; the halves are one and the same where
/// there was nothing to halve. The canary of a wave is taken to have the stated share of the
/// baseline's traffic.
pub fn measure(rules: &RuleFile, evidence: &[IntervalEvidence], halves: [u32; 2]) -> Vec<Measured> {
    let seconds = evidence.first().map_or(0.0, |first| first.window.to.since(first.window.from).as_secs_f64());
    let deadline = rules.schedule.deadline.saturating_sub(rules.schedule.warmup.max(rules.downtime));
    let checks = rules.checks.iter().enumerate().filter(|(_, check)| check.kind.policy().is_some());
    let one = |(index, check): (usize, &Check)| {
        let stated = ordinary(&rules.traffic, check);
        // One cohort in both places is what was asked for where there is nothing to halve.
        let sound = |one: &&CheckEvidence| {
            one.faults.iter().all(|fault| halves[1] == 0 && matches!(fault, Fault::CohortsOverlap { .. }))
        };
        let shown: Vec<&CheckEvidence> =
            evidence.iter().filter_map(|interval| interval.checks.get(index)).filter(sound).collect();
        let past = Past { shown, seconds, halves, deadline };
        let found = match &check.kind {
            CheckKind::Ratio { .. } => past.ratio(stated),
            CheckKind::Histogram { .. } | CheckKind::Quantile { .. } => past.histogram(stated),
            CheckKind::Gauge { scale, .. } => past.gauge(stated, *scale == GaugeScale::Absolute),
            CheckKind::Threshold { .. } => None,
        };
        let (traffic, shape, how, intervals) = found.unwrap_or((stated, None, How::Stated, 0));
        Measured { check: check.name.clone(), kind: check.kind.word(), traffic, shape, how, intervals }
    };
    checks.map(one).collect()
}

type Found = (CheckTraffic, Option<Shape>, How, usize);

/// What one check showed.
struct Past<'a> {
    shown: Vec<&'a CheckEvidence>,
    seconds: f64,
    halves: [u32; 2],
    deadline: Duration,
}

impl Past<'_> {
    /// Whether the halves are two.
    fn is_split(&self) -> bool {
        self.halves[1] > 0
    }

    /// What each half showed in each interval in which both showed something; twice the same
    /// where there are no halves.
    fn pairs<T>(&self, of: impl Fn(&Observed) -> Option<T>) -> Vec<[T; 2]> {
        let one = |shown: &&CheckEvidence| Some([of(&shown.canary)?, of(shown.baseline.as_ref()?)?]);
        self.shown.iter().filter_map(one).collect()
    }

    fn how(&self) -> How {
        if self.is_split() { How::Halves } else { How::InTime }
    }

    /// The whole baseline's events a second, from the sum of both halves.
    fn rates(&self, stated: CheckTraffic, both: f64, intervals: usize) -> CheckTraffic {
        let whole = if self.is_split() { both } else { 0.5 * both };
        let rate = whole / (self.seconds * real(intervals));
        let share = stated.rates[0] / stated.rates[1];
        self.sized(CheckTraffic { rates: [share * rate, rate], ..stated })
    }

    /// The instances of the baseline, and as large a share of them for the canary as stated.
    fn sized(&self, stated: CheckTraffic) -> CheckTraffic {
        let share = f64::from(stated.instances[0]) / f64::from(stated.instances[1]);
        let all = self.halves[0].saturating_add(self.halves[1]).max(1);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of instances")]
        let canary = (share * f64::from(all)).round().max(1.0) as u32;
        CheckTraffic { instances: [canary, all], ..stated }
    }

    fn ratio(&self, stated: CheckTraffic) -> Option<Found> {
        let counts = |observed: &Observed| match observed.measure {
            Measure::Counts { bad, total } => Some([bad, total]),
            Measure::Nothing
            | Measure::Buckets(_)
            | Measure::Value(_)
            | Measure::Rated { .. }
            | Measure::Worst { .. } => None,
        };
        let pairs = self.pairs(counts);
        let [bad, total] = [0, 1].map(|part| pairs.iter().flatten().map(|counts| counts[part]).sum::<f64>());
        if pairs.len() < LEAST_INTERVALS || total <= 0.0 {
            return None;
        }
        let traffic = CheckTraffic { bad: (bad / total).min(0.999), ..self.rates(stated, total, pairs.len()) };
        Some((traffic, None, self.how(), pairs.len()))
    }

    fn histogram(&self, stated: CheckTraffic) -> Option<Found> {
        let buckets = |observed: &Observed| match &observed.measure {
            Measure::Buckets(buckets) => Some(buckets.clone()),
            Measure::Nothing
            | Measure::Counts { .. }
            | Measure::Value(_)
            | Measure::Rated { .. }
            | Measure::Worst { .. } => None,
        };
        let pairs: Vec<[Buckets; 2]> = self.pairs(buckets);
        // Of a resolution that changed only what came after it is added up.
        let bounds = pairs.last()?[0].bounds().to_vec();
        let mut counts = vec![0.0; bounds.len()];
        let mut intervals = 0;
        for pair in pairs.iter().filter(|pair| pair.iter().all(|half| half.bounds() == bounds)) {
            for half in pair {
                counts.iter_mut().zip(half.counts()).for_each(|(sum, count)| *sum += count);
            }
            intervals += 1;
        }
        let survival = stats::Survival::new(&bounds, &counts).filter(|_| intervals >= LEAST_INTERVALS)?;
        let [median, p99] = QUANTILES.map(|quantile| survival.quantile(quantile));
        // A histogram of one bucket has no width; one that can be stated does.
        let latency = [median, p99.max(1.01 * median)];
        let traffic = CheckTraffic { latency, ..self.rates(stated, counts.iter().sum(), intervals) };
        Some((traffic, Shape::measured(&bounds, &counts), self.how(), intervals))
    }

    fn gauge(&self, stated: CheckTraffic, absolute: bool) -> Option<Found> {
        let value = |observed: &Observed| match observed.measure {
            Measure::Value(value) | Measure::Rated { value, .. } => Some(value),
            Measure::Nothing | Measure::Counts { .. } | Measure::Buckets(_) | Measure::Worst { .. } => None,
        };
        let pairs = self.pairs(value);
        let positive = pairs.iter().flatten().all(|value| *value > 0.0);
        let on_scale = |value: f64| if positive && !absolute { value.ln() } else { value };
        let mut unit = 1.0;
        if !positive && !absolute {
            unit = stats::median(&pairs.iter().map(|pair| pair[1]).collect::<Vec<f64>>()).abs();
        }
        let traffic = self.sized(stated);
        let (values, widened) = if self.is_split() {
            // As many instances as a wave will compare, not as many as the halves have.
            let of = |[own, other]: [u32; 2]| 1.0 / f64::from(own) + 1.0 / f64::from(other);
            let differences = pairs.iter().map(|pair| on_scale(pair[0]) - on_scale(pair[1])).collect::<Vec<f64>>();
            (differences, (of(traffic.instances) / of(self.halves)).sqrt())
        } else {
            (pairs.iter().map(|pair| on_scale(pair[1])).collect(), 2.0_f64.sqrt())
        };
        let (deviation, memory) = self.scatter(&values)?;
        let noise = (widened * deviation / unit).max(LEAST_NOISE);
        let usable = noise.is_finite() && memory.is_finite();
        let traffic = CheckTraffic { noise, autocorrelation: memory.clamp(0.0, 0.95), ..traffic };
        usable.then_some((traffic, None, self.how(), values.len()))
    }

    /// The deviation of `values` and how much of it each keeps of the last, in spans as long as a
    /// wave: what moves in hours is no noise of an hour.
    fn scatter(&self, values: &[f64]) -> Option<(f64, f64)> {
        if values.len() < LEAST_INTERVALS || self.seconds <= 0.0 {
            return None;
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "held to a small range")]
        let long = (self.deadline.as_secs_f64() / self.seconds).clamp(real(LEAST_INTERVALS), 1e4) as usize;
        let (mut squares, mut products, mut weight) = (0.0, 0.0, 0.0);
        let nothing = stats::Prior { autocorrelation: 0.0, points: 0.0 };
        for span in values.chunks(long).filter(|span| span.len() >= LEAST_INTERVALS) {
            let options = stats::PairedOptions { prior: nothing, strict: false, clip: true };
            let mean = stats::paired_mean(stats::Track::whole(span), &options)?;
            let n = real(span.len());
            // Back from the error of the mean to the deviation of a point.
            let shrunk = (1.0 - (mean.vif - 1.0) / (n - 1.0)).max(0.1);
            squares += n * mean.se * mean.se * mean.effective_n * shrunk;
            products += n * mean.autocorrelation;
            weight += n;
        }
        (weight > 0.0).then(|| ((squares / weight).sqrt(), products / weight))
    }
}

fn real(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}
