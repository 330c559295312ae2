//! One bad instance among many good ones (EP-6).
//!
//! A cohort's sum dilutes what one of its instances does. So each canary instance is held
//! against the whole baseline, with an e-process and a guard of its own. The mean of the
//! e-values of those whose guard and floor agree is below a mean of test supermartingales,
//! so it may be looked at as often as one likes (Ville), and it is paid for once, not once
//! an instance.

use crate::judge::Cause;
use crate::judge::check::Sight;
use crate::judge::counts::COUNT_MAX;
use crate::judge::counts::Evidence;
use crate::judge::counts::Totals;
use crate::judge::counts::guard;
use crate::series::InstanceEvidence;
use crate::series::Measure;
use crate::stats;
use std::collections::BTreeMap;

/// An instance is accused of at least this ratio: a smaller one is the cohort's business.
const LEAST_RATIO: f64 = 2.0;

/// Most instances that are remembered, 8 bytes an interval each.
pub(crate) const INSTANCES_MAX: usize = 64;

/// Most instances of the baseline whose sums are remembered: a larger fleet changes its pods
/// all the time, and then the oldest are no likes any more.
const OTHERS_MAX: usize = 256;
/// Bad events from which the rate of an instance of the baseline is known.
const OTHER_EVENTS: f64 = 3.0;
/// It excuses one that had at most so many times its events: what failed a few of the first
/// requests of a young instance is not what an old one does all the time.
const OTHER_SIZE: f64 = 10.0;

/// The canary's instances.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Outliers {
    margin: f64,
    /// Intervals taken.
    intervals: usize,
    instances: BTreeMap<String, Instance>,
    /// Canary instances seen so far, those that were forgotten too.
    seen: u32,
    /// More than can be remembered were there at once.
    too_many: bool,
    /// The whole baseline, interval by interval.
    baseline: Vec<[f32; 2]>,
    /// Its instances, all in all.
    others: BTreeMap<String, Totals>,
}

#[cfg(test)]
crate::judge::footprint::fields!(Outliers: instances, baseline, others);

#[derive(Clone, Debug, PartialEq)]
struct Instance {
    evidence: Evidence,
    own: Totals,
    /// The interval it was first seen in.
    since: usize,
    /// Bad events and all events of each interval since.
    track: Vec<[f32; 2]>,
}

#[cfg(test)]
crate::judge::footprint::fields!(Instance: track);

impl Outliers {
    pub(crate) fn new(tolerance: f64) -> Self {
        Self {
            margin: tolerance.max(LEAST_RATIO),
            intervals: 0,
            instances: BTreeMap::new(),
            seen: 0,
            too_many: false,
            baseline: Vec::new(),
            others: BTreeMap::new(),
        }
    }

    /// Takes one interval.
    pub(crate) fn take(&mut self, instances: &[InstanceEvidence], others: &[InstanceEvidence], baseline: Totals) {
        if instances.is_empty() && self.instances.is_empty() {
            return;
        }
        for other in others {
            let Measure::Counts { bad, total } = other.measure else { continue };
            // One more of very many tells nothing new of what is usual.
            if !self.others.contains_key(&other.name) && self.others.len() >= OTHERS_MAX {
                continue;
            }
            self.others.entry(other.name.clone()).or_default().add(Totals { bad, total });
        }
        for instance in instances {
            let Measure::Counts { bad, total } = instance.measure else { continue };
            if !self.instances.contains_key(&instance.name) && !self.make_room(instances) {
                self.too_many = true;
                continue;
            }
            let since = self.intervals;
            let known = self.instances.entry(instance.name.clone()).or_insert_with(|| {
                self.seen = self.seen.saturating_add(1);
                Instance::new(self.margin, since)
            });
            known.take(Totals { bad, total }, baseline, self.intervals);
        }
        self.baseline.push(narrow(baseline));
        self.intervals += 1;
    }

    /// Whether one more can be remembered: of those that are gone the least suspect is
    /// forgotten. Its share of the mean is lost, which only makes the mean smaller.
    fn make_room(&mut self, here: &[InstanceEvidence]) -> bool {
        if self.instances.len() < INSTANCES_MAX {
            return true;
        }
        let is_gone = |name: &str| here.iter().all(|instance| instance.name != name);
        let gone = self.instances.iter().filter(|(name, _)| is_gone(name));
        let least = gone.min_by(|a, b| a.1.evidence.log_e().total_cmp(&b.1.evidence.log_e()));
        let Some(name) = least.map(|(name, _)| name.clone()) else { return false };
        self.instances.remove(&name).is_some()
    }

    /// Whether there are instances to tell apart, in both cohorts.
    pub(crate) fn is_worth_it(&self) -> bool {
        self.instances.len() > 1 && !self.others.is_empty() && !self.too_many
    }

    /// The rate of the worst of the baseline's instances that had events enough to be held
    /// against one with `own`.
    fn worst_other(&self, own: Totals) -> f64 {
        let is_known = |other: &&Totals| other.bad >= OTHER_EVENTS && other.total * OTHER_SIZE >= own.total;
        let known = self.others.values().filter(is_known);
        known.map(|other| other.ratio()).fold(0.0, f64::max)
    }

    /// The FAIL that one instance is worth, at a risk of `alpha` over all of them.
    pub(crate) fn worst(&self, floor: f64, seconds: f64, alpha: f64, sight: &mut Sight<'_>) -> Option<Cause> {
        let count = f64::from(self.seen.max(1));
        let needed = count.ln() - alpha.ln();
        // Cheap first: without the guards the sum can only be larger.
        let log_sum = |logs: &mut dyn Iterator<Item = f64>| logs.map(f64::exp).sum::<f64>().ln();
        let all = log_sum(&mut self.instances.values().map(|instance| instance.evidence.log_e()));
        if all < needed || self.too_many {
            return None;
        }
        // For a power of two of instances at least, so that few tables are made.
        let bounds = sight.looks.fail_bounds(alpha / count.log2().ceil().exp2());
        let bound = bounds.get(sight.place.look).copied().unwrap_or(f64::INFINITY);
        // What an instance of the baseline has too is no change: the leader of a cluster, a hot
        // shard. The smaller part of the mean stays below a test supermartingale.
        let allowed = |own: Totals| floor.max(self.margin * self.worst_other(own));
        let guilty: Vec<(&String, &Instance)> = self
            .instances
            .iter()
            .filter(|(_, instance)| instance.evidence.is_shared() && instance.own.ratio() > allowed(instance.own))
            .filter(|(_, instance)| self.guard(instance, seconds).is_some_and(|guard| guard.z() > bound))
            .collect();
        if log_sum(&mut guilty.iter().map(|(_, instance)| instance.evidence.log_e())) < needed {
            return None;
        }
        let (name, worst) = guilty.into_iter().max_by(|a, b| a.1.evidence.log_e().total_cmp(&b.1.evidence.log_e()))?;
        Some(Cause::InstanceAboveTolerance {
            instance: name.clone(),
            bad: worst.own.bad,
            total: worst.own.total,
            ratio: worst.own.ratio(),
            tolerance: self.margin,
            at: sight.at,
        })
    }

    fn guard(&self, instance: &Instance, seconds: f64) -> Option<stats::CountGuard> {
        let baseline = self.baseline.iter().skip(instance.since).copied().map(wide);
        let pairs = instance.track.iter().copied().map(wide).zip(baseline);
        // An interval that lacks one of the two compares nothing.
        guard(pairs.filter(|(own, other)| own.total > 0.0 && other.total > 0.0), self.margin, seconds)
    }
}

impl Instance {
    fn new(margin: f64, since: usize) -> Self {
        Self { evidence: Evidence::above(margin), own: Totals::default(), since, track: Vec::new() }
    }

    fn take(&mut self, own: Totals, baseline: Totals, interval: usize) {
        self.evidence.take(own, baseline);
        self.own.add(own);
        // It may have been away.
        let before = (interval - self.since).max(self.track.len());
        // A state is copied for each interval: twice the room would be for nothing.
        self.track.reserve_exact(before + 1 - self.track.len());
        self.track.resize(before, [0.0; 2]);
        self.track.push(narrow(own));
    }
}

#[expect(clippy::cast_possible_truncation, reason = "seven digits of a count are enough for its variance")]
fn narrow(totals: Totals) -> [f32; 2] {
    [totals.bad, totals.total].map(|count| count.min(COUNT_MAX) as f32)
}

fn wide([bad, total]: [f32; 2]) -> Totals {
    Totals { bad: f64::from(bad), total: f64::from(total) }
}
