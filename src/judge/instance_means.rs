//! Time means of instances (P-1): 32 bytes an instance, however long the wave.

use crate::judge::scale::Scale;
use crate::series::InstanceEvidence;
use crate::series::Measure;
use crate::stats;
use std::collections::BTreeMap;

/// Canary and baseline instances that it takes: with fewer the spread is not known.
pub(crate) const INSTANCES_LEAST: [usize; 2] = [3, 5];

/// The instances of both cohorts.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct InstanceMeans {
    canary: BTreeMap<String, Sum>,
    baseline: BTreeMap<String, Sum>,
}

#[cfg(test)]
crate::judge::footprint::fields!(InstanceMeans: canary, baseline);

#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Sum {
    values: f64,
    value: f64,
    /// Of the positive values, which are so many.
    logs: f64,
    log: f64,
}

#[cfg(test)]
crate::judge::footprint::flat!(Sum);

impl InstanceMeans {
    /// Takes one interval.
    pub(crate) fn take(&mut self, canary: &[InstanceEvidence], baseline: &[InstanceEvidence]) {
        for (sums, instances) in [(&mut self.canary, canary), (&mut self.baseline, baseline)] {
            for instance in instances {
                if let Measure::Value(value) = instance.measure {
                    sums.entry(instance.name.clone()).or_default().add(value);
                }
            }
        }
    }

    /// Canary and baseline instances that have `points` on `scale`.
    pub(crate) fn counts(&self, scale: Scale, points: f64) -> [usize; 2] {
        [&self.canary, &self.baseline].map(|sums| means(sums, scale, points).count())
    }

    /// The difference of the cohorts' means of the instances that have `points` on `scale`.
    pub(crate) fn difference(&self, scale: Scale, points: f64) -> Option<stats::MeanDifference> {
        let of = |sums| means(sums, scale, points).collect::<Vec<f64>>();
        stats::mean_difference(&of(&self.canary), &of(&self.baseline), stats::Spread::Pooled)
    }
}

impl Sum {
    fn add(&mut self, value: f64) {
        self.values += 1.0;
        self.value += value;
        if value > 0.0 {
            self.logs += 1.0;
            self.log += value.ln();
        }
    }
}

fn means(sums: &BTreeMap<String, Sum>, scale: Scale, points: f64) -> impl Iterator<Item = f64> + '_ {
    sums.values().filter_map(move |sum| {
        let (count, total) = if scale == Scale::Log { (sum.logs, sum.log) } else { (sum.values, sum.value) };
        (count >= points).then(|| total / count)
    })
}
