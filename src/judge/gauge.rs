//! One value of each cohort an interval.
//!
//! Values are paired by their interval (G-1), so that what moves both cohorts alike cancels,
//! and the mean of the differences is judged with the dependence that they show (G-2 … G-8).
//! The options: `drift` judges the end of the fitted line too (G-10), `per` the ratio of sums
//! too (G-9), `by: instance` the means of instances instead (P-1), and `test: mann_whitney`
//! the ranks of both cohorts, which are not paired (MW-5, HL-2).

use crate::judge::Cause;
use crate::judge::Effect;
use crate::judge::Margins;
use crate::judge::Sizes;
use crate::judge::Unit;
use crate::judge::Warning;
use crate::judge::check::Finding;
use crate::judge::check::Reading;
use crate::judge::check::Sight;
use crate::judge::instance_means::INSTANCES_LEAST;
use crate::judge::instance_means::InstanceMeans;
use crate::judge::levels::Levels;
use crate::judge::looks::Looks;
use crate::judge::ranks;
use crate::judge::repeated::Repeated;
use crate::judge::repeated::Scaled;
use crate::judge::repeated::sides;
use crate::judge::repeated::watched;
use crate::judge::scale::Scale;
use crate::rules::GaugeScale;
use crate::rules::GaugeTest;
use crate::rules::Policy;
use crate::rules::Worse;
use crate::series::CheckEvidence;
use crate::series::Measure;
use crate::series::Observed;
use crate::stats;
use std::time::Duration;

/// The share of the FAIL risk for each of the mean and the end, where both are judged.
pub(crate) const DRIFT_SHARE: f64 = 0.5;
/// Points further apart than this (in seconds) are expected to resemble each other as much as
/// at this: gauges have slow waves too, and an hour of minutes cannot tell whether it has them.
pub(crate) const PRIOR_INTERVAL_MAX: f64 = 15.0;
/// Traffic of an instance that differs by more than this between cohorts is said.
const TRAFFIC_RATIO: f64 = 1.5;

/// What a gauge check remembers: 16 bytes an interval, and 8 more for `per`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct GaugeState {
    policy: Policy,
    test: GaugeTest,
    stated: GaugeScale,
    seconds: f64,
    canary: Vec<f64>,
    baseline: Vec<f64>,
    /// What the values are divided by, canary first; empty without `per`.
    per: Vec<[f32; 2]>,
    /// Points that do not follow their predecessor by one interval.
    gaps: Vec<usize>,
    /// The last interval had nothing that can be used.
    gap: bool,
    /// Intervals whose values did not fit the scale.
    dropped: u32,
    /// Fixed at the first look that has points enough.
    scale: Option<Scale>,
    instances: InstanceMeans,
    /// Whether instances are judged; fixed at the first look that has points enough.
    by_instance: bool,
}

#[cfg(test)]
crate::judge::footprint::fields!(GaugeState: canary, baseline, per, gaps, instances);

/// Something with an estimate and an error, on a scale.
struct Measured {
    scale: Scale,
    estimate: Estimate,
    tolerance: f64,
    pass_within: f64,
}

#[derive(Clone, Copy)]
enum Estimate {
    Paired(stats::PairedMean),
    Instances(stats::MeanDifference),
}

impl GaugeState {
    pub(crate) fn new(policy: Policy, test: GaugeTest, stated: GaugeScale, interval: Duration) -> Self {
        Self {
            policy,
            test,
            stated,
            seconds: interval.as_secs_f64(),
            canary: Vec::new(),
            baseline: Vec::new(),
            per: Vec::new(),
            gaps: Vec::new(),
            gap: false,
            dropped: 0,
            scale: None,
            instances: InstanceMeans::default(),
            by_instance: false,
        }
    }

    pub(crate) fn prepare(&self, levels: Levels, looks: &mut Looks) {
        for levels in self.levels(levels) {
            looks.fail_bounds(levels.alpha);
            looks.pass_bounds(levels.beta);
        }
    }

    /// The risks of one direction of the mean, and of the end where that is judged too.
    fn levels(&self, levels: Levels) -> Vec<Levels> {
        let levels = levels.over(sides(self.policy.worse));
        // Either kind of margin is good enough for a PASS, so that each has half of the risk.
        let either = matches!(self.stated, GaugeScale::Both { .. });
        let levels = if either { Levels { beta: 0.5 * levels.beta, ..levels } } else { levels };
        if !self.drifts() {
            return vec![levels];
        }
        // The end at one look resembles that at another less than a boundary of means believes.
        vec![levels.fail_share(DRIFT_SHARE), levels.fail_share(DRIFT_SHARE * stats::END_SHARE)]
    }

    fn drifts(&self) -> bool {
        matches!(self.test, GaugeTest::Paired { drift: true, .. })
    }

    /// Takes one interval; false where a cohort showed nothing that can be used.
    pub(crate) fn fold(&mut self, evidence: &CheckEvidence) -> bool {
        let Some((canary, baseline, per)) = self.pair(evidence) else {
            self.skip();
            return false;
        };
        if self.gap && !self.canary.is_empty() {
            self.gaps.push(self.canary.len());
        }
        self.gap = false;
        self.canary.push(canary);
        self.baseline.push(baseline);
        self.per.extend(per);
        if self.test == GaugeTest::ByInstance
            && let Some(others) = &evidence.baseline
        {
            self.instances.take(&evidence.canary.instances, &others.instances);
        }
        true
    }

    /// Notes an interval that must not be used.
    pub(crate) fn skip(&mut self) {
        self.gap = true;
    }

    fn pair(&mut self, evidence: &CheckEvidence) -> Option<(f64, f64, Option<[f32; 2]>)> {
        let (canary, own) = value(&evidence.canary)?;
        let (baseline, other) = value(evidence.baseline.as_ref()?)?;
        // A logarithm was chosen at the first look; what has none is missing from now on.
        let fits = self.scale != Some(Scale::Log) || canary > 0.0 && baseline > 0.0;
        self.dropped += u32::from(!fits);
        #[expect(clippy::cast_possible_truncation, reason = "seven digits of what values are divided by are enough")]
        let per = own.zip(other).map(|(own, other)| [own as f32, other as f32]);
        fits.then_some((canary, baseline, per))
    }

    /// Reads and concludes.
    pub(crate) fn look(&mut self, sight: &mut Sight<'_>) -> Finding {
        let points = f64::from(u32::try_from(self.canary.len()).unwrap_or(u32::MAX));
        let need = f64::from(self.policy.min_points);
        let reading = Reading { n: Sizes { canary: points, baseline: points }, ..Reading::default() };
        if points < need {
            return Finding::open(reading, Cause::TooFewSamples { have: points, need });
        }
        let scale = self.fix(need);
        if scale == Scale::Median(0.0) {
            return self.without_scale(reading);
        }
        let mut finding = match self.test {
            GaugeTest::MannWhitney => self.rank(scale, sight),
            GaugeTest::Paired { .. } | GaugeTest::ByInstance => self.conclude(scale, need, sight),
        };
        finding.reading.n = reading.n;
        if scale == Scale::Unit {
            let Policy { worse, tolerance, pass_within, .. } = self.policy;
            let seen = |margin: f64| if worse == Worse::Decrease { -margin } else { margin };
            finding.reading.margins = Some(Margins { tolerance: seen(tolerance), pass_within: seen(pass_within) });
        }
        finding
    }

    /// Settles the scale and the unit of evidence, once.
    fn fix(&mut self, points: f64) -> Scale {
        if let Some(scale) = self.scale {
            return scale;
        }
        let scale = match self.stated {
            GaugeScale::Absolute => Scale::Unit,
            GaugeScale::Relative | GaugeScale::Median | GaugeScale::Both { .. } => {
                Scale::relative(self.stated, &self.canary, &self.baseline)
            }
        };
        // Of a baseline of nothing any change is more than all: the other margin alone decides.
        let scale = match self.stated {
            GaugeScale::Both { tolerance, pass_within } if scale == Scale::Median(0.0) => {
                self.stated = GaugeScale::Absolute;
                self.policy = Policy { tolerance, pass_within, ..self.policy };
                Scale::Unit
            }
            GaugeScale::Both { .. } | GaugeScale::Relative | GaugeScale::Median | GaugeScale::Absolute => scale,
        };
        let enough =
            self.instances.counts(scale, points).into_iter().zip(INSTANCES_LEAST).all(|(have, need)| have >= need);
        self.by_instance = self.test == GaugeTest::ByInstance && enough;
        self.scale = Some(scale);
        scale
    }

    /// The baseline's median is 0: two cohorts that are 0 throughout are the same, and of
    /// anything else a relative margin has no size.
    fn without_scale(&self, reading: Reading) -> Finding {
        let open = Cause::NoScale { canary: stats::median(&self.canary) };
        let differs = self.canary.iter().chain(&self.baseline).any(|value| *value != 0.0);
        let effect = Effect { estimate: 0.0, low: 0.0, high: 0.0, unit: Unit::RelativeChange };
        let reading = Reading { effect: (!differs).then_some(effect), ..reading };
        // What was 0 throughout and is not any more takes the PASS of the zeros along.
        Finding { within: !differs, unsure: differs.then(|| open.clone()), ..Finding::open(reading, open) }
    }

    fn conclude(&self, scale: Scale, need: f64, sight: &mut Sight<'_>) -> Finding {
        let differences = self.differences(scale);
        // Values out of all bounds have no mean, and what they passed by before is over.
        let few = Cause::TooFewSamples { have: 0.0, need };
        let blind = Finding { unsure: Some(few.clone()), ..Finding::open(Reading::default(), few) };
        let Some(mean) = stats::paired_mean(self.track(&differences), &self.options()) else { return blind };
        let Some(measured) = self.measured(scale, mean, need) else { return blind };
        let levels = self.levels(sight.levels);
        let mut findings = measured.iter().zip(levels).map(|(group, levels)| self.judge(group, levels, sight));
        let Some(first) = findings.next() else { return blind };
        let mut finding = findings.fold(first, Finding::and);
        finding.unsure = self.is_shifted(scale, &differences, &mean).then(|| Cause::RecentShift {
            points: u32::try_from(stats::recent_points(differences.len())).unwrap_or(u32::MAX),
        });
        if finding.within && sight.place.may_pass {
            finding.hold_back(scale.scatters(&self.canary, &self.baseline, self.policy.worse, self.policy.pass_within));
        }
        self.tell(scale, &mean, &mut finding.reading);
        finding
    }

    /// Groups, any of which fails the check, of measures that must all be exceeded.
    fn measured(&self, scale: Scale, mean: stats::PairedMean, need: f64) -> Option<Vec<Vec<Measured>>> {
        let Policy { tolerance, pass_within, .. } = self.policy;
        let relative = |scale, estimate| Measured { scale, estimate, tolerance, pass_within };
        if self.by_instance {
            let of = |scale| Some(Estimate::Instances(self.instances.difference(scale, need)?));
            let mut group = vec![relative(scale, of(scale)?)];
            if let GaugeScale::Both { tolerance, pass_within } = self.stated {
                group.push(Measured { scale: Scale::Unit, estimate: of(Scale::Unit)?, tolerance, pass_within });
            }
            return Some(vec![group]);
        }
        let options = self.options();
        let mut group = vec![relative(scale, Estimate::Paired(mean))];
        if let GaugeScale::Both { tolerance, pass_within } = self.stated {
            let plain = stats::paired_mean(self.track(&self.differences(Scale::Unit)), &options)?;
            group.push(Measured { scale: Scale::Unit, estimate: Estimate::Paired(plain), tolerance, pass_within });
        }
        if !self.per.is_empty() {
            let values = self.rated()?;
            let options = stats::PairedOptions { clip: false, ..options };
            let rated = stats::paired_mean(self.track(&values), &options)?;
            group.push(relative(Scale::Log, Estimate::Paired(rated)));
        }
        let end = |measured: &Measured| Measured { estimate: measured.estimate.end(), ..*measured };
        let ends = self.drifts().then(|| group.iter().map(end).collect());
        Some(std::iter::once(group).chain(ends).collect())
    }

    /// FAIL where every measure of `group` is above its tolerance (intersection-union). With
    /// margins of two kinds either is good enough for a PASS, at half of the risk; a rate that
    /// is judged in two ways must be within both.
    fn judge(&self, group: &[Measured], levels: Levels, sight: &mut Sight<'_>) -> Finding {
        let Some(shown) = group.first() else {
            return Finding::open(Reading::default(), Cause::TooFewSamples { have: 0.0, need: 1.0 });
        };
        let either = matches!(self.stated, GaugeScale::Both { .. });
        let repeated = Repeated::new(levels, sight, |ln_tail| shown.scale.outer_all(shown.estimate.interval(ln_tail)));
        let Policy { worse, tolerance, pass_within, .. } = self.policy;
        let scale = Scaled { neutral: 0.0, unit: shown.scale.unit(), worse, tolerance, pass_within };
        let fail = |sign: f64| group.iter().map(|one| one.worse(sign)).fold(f64::INFINITY, f64::min);
        let pass = |sign: f64| {
            let within = group.iter().map(|one| one.within(sign));
            if either { within.fold(f64::NEG_INFINITY, f64::max) } else { within.fold(f64::INFINITY, f64::min) }
        };
        repeated.conclude(&scale, sight, fail, pass)
    }

    /// G-7: whether the last points alone forbid a PASS, in any direction that is worse.
    fn is_shifted(&self, scale: Scale, differences: &[f64], mean: &stats::PairedMean) -> bool {
        let beyond = |scale: Scale, differences: &[f64], margin: f64, sign: f64| {
            let turned: Vec<f64> = differences.iter().map(|difference| sign * difference).collect();
            let clipped = if sign > 0.0 { mean.clipped.0 } else { mean.clipped.1 };
            stats::recent_shift(&turned, sign * scale.inner(sign * margin), clipped)
        };
        watched(self.policy.worse).iter().any(|sign| {
            let relative = beyond(scale, differences, self.policy.pass_within, *sign);
            match self.stated {
                GaugeScale::Both { pass_within, .. } => {
                    relative && beyond(Scale::Unit, &self.differences(Scale::Unit), pass_within, *sign)
                }
                GaugeScale::Relative | GaugeScale::Median | GaugeScale::Absolute => relative,
            }
        })
    }

    /// What stands beside the effect.
    fn tell(&self, scale: Scale, mean: &stats::PairedMean, reading: &mut Reading) {
        reading.effective_n = Some(mean.effective_n);
        reading.details.extend([("autocorrelation", mean.autocorrelation), ("vif", mean.vif)]);
        if self.drifts() {
            reading.details.push(("end", scale.outer(mean.end().mean)));
        }
        reading.warnings.extend((self.dropped > 0).then_some(Warning::ValuesDropped { intervals: self.dropped }));
        if mean.is_sluggish() {
            reading.warnings.push(Warning::AutocorrelationHigh { autocorrelation: mean.autocorrelation });
        }
        if self.test == GaugeTest::ByInstance {
            let [canary, baseline] = self.instances.counts(scale, f64::from(self.policy.min_points));
            let few = Warning::JudgedAsCohorts { canary, baseline, need: INSTANCES_LEAST };
            reading.warnings.extend((!self.by_instance).then_some(few));
            if self.by_instance {
                let count = |count: usize| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
                reading.details.extend([("instances_canary", count(canary)), ("instances_baseline", count(baseline))]);
            }
        }
        if !self.per.is_empty() {
            let sum = |cohort: usize| self.per.iter().map(|per| f64::from(per[cohort])).sum::<f64>();
            let ratio = sum(0) / sum(1);
            reading.details.push(("traffic_ratio", ratio));
            if !(ratio <= TRAFFIC_RATIO && ratio >= TRAFFIC_RATIO.recip()) {
                reading.warnings.push(Warning::TrafficDiffers { ratio });
            }
        }
    }

    fn options(&self) -> stats::PairedOptions {
        let strict = matches!(self.test, GaugeTest::Paired { strict: true, .. });
        stats::PairedOptions { strict, ..stats::PairedOptions::at(self.seconds.min(PRIOR_INTERVAL_MAX)) }
    }

    fn differences(&self, scale: Scale) -> Vec<f64> {
        self.canary.iter().zip(&self.baseline).map(|(canary, baseline)| scale.difference(*canary, *baseline)).collect()
    }

    fn track<'a>(&'a self, values: &'a [f64]) -> stats::Track<'a> {
        stats::Track { values, gaps: &self.gaps }
    }

    /// G-9: pseudo-values of the ratio of sums.
    fn rated(&self) -> Option<Vec<f64>> {
        let denominators = [0, 1].map(|cohort| self.per.iter().map(|per| f64::from(per[cohort])).collect::<Vec<f64>>());
        let quotient = |numerators, cohort: usize| stats::Quotient { numerators, denominators: &denominators[cohort] };
        stats::ratio_of_sums(quotient(&self.canary, 0), quotient(&self.baseline, 1))
    }

    /// MW-5, with margins of two kinds as [`GaugeState::judge`] has them.
    fn rank(&self, scale: Scale, sight: &mut Sight<'_>) -> Finding {
        let GaugeScale::Both { tolerance, pass_within } = self.stated else {
            return ranks::conclude(&self.rank_arms(scale), &self.policy, sight);
        };
        sight.levels.beta *= 0.5;
        let finding = ranks::conclude(&self.rank_arms(scale), &self.policy, sight);
        let plain = Policy { tolerance, pass_within, ..self.policy };
        finding.or(&ranks::conclude(&self.rank_arms(Scale::Unit), &plain, sight))
    }

    fn rank_arms(&self, scale: Scale) -> ranks::Arms<'_> {
        ranks::Arms {
            canary: &self.canary,
            baseline: &self.baseline,
            gaps: &self.gaps,
            scale,
            prior: self.options().prior,
        }
    }
}

impl Measured {
    /// How far the change lies above the tolerance in one direction.
    fn worse(&self, sign: f64) -> f64 {
        known(sign * self.estimate.z_above(self.scale.inner(sign * self.tolerance)))
    }

    /// How far it lies below the margin of PASS.
    fn within(&self, sign: f64) -> f64 {
        known(-sign * self.estimate.z_above(self.scale.inner(sign * self.pass_within)))
    }
}

/// What is not a number crosses no bound; the least of some would leave it out.
fn known(z: f64) -> f64 {
    if z.is_nan() { f64::NEG_INFINITY } else { z }
}

impl Estimate {
    fn z_above(&self, margin: f64) -> f64 {
        match self {
            Self::Paired(mean) => mean.z_above(margin),
            Self::Instances(difference) => difference.z_above(margin),
        }
    }

    fn interval(&self, ln_tail: f64) -> stats::Interval {
        match self {
            Self::Paired(mean) => mean.interval(ln_tail),
            Self::Instances(difference) => difference.interval(ln_tail),
        }
    }

    /// G-10: the level at the end of the window.
    fn end(&self) -> Self {
        match self {
            Self::Paired(mean) => Self::Paired(mean.end()),
            Self::Instances(difference) => Self::Instances(*difference),
        }
    }
}

/// The value, and what it is divided by.
fn value(observed: &Observed) -> Option<(f64, Option<f64>)> {
    match &observed.measure {
        Measure::Value(value) => Some((*value, None)),
        Measure::Rated { value, per } => Some((*value, Some(*per))),
        Measure::Nothing | Measure::Counts { .. } | Measure::Buckets(_) | Measure::Worst { .. } => None,
    }
}
