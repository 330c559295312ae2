//! What each instance of a cohort showed, for the checks that ask for it.
//!
//! A ratio looks for one bad instance among the canary's that has no like among the
//! baseline's (EP-6), and a gauge that is
//! judged by instance compares means of instances (P-1). Both follow an instance from
//! window to window by its name. So series without one are left out here, and one name
//! is one instance, whichever of the labels says it.

use crate::series::InstanceEvidence;
use crate::series::Labels;
use crate::series::Measure;
use crate::series::Notice;
use crate::series::counter::Tally;
use crate::series::counter::Total;
use crate::series::gauge;
use std::collections::BTreeMap;
use std::collections::BTreeSet;

/// Instances whose events are kept apart. A gate remembers some hundred numbers of
/// each, and every interval is stored with them: with more than this, one bad instance
/// is a small part of a wave, and the price would be paid by every gate.
const MAX_COUNTED: usize = 64;

/// Instances of one cohort whose values are kept apart: of each only sums are remembered.
const MAX_VALUED: usize = 1000;

/// The longest name in bytes: the names of pods and of hosts are at most 253.
const MAX_NAME_BYTES: usize = 256;

/// The counters of one selector, by the name of their instance.
#[derive(Debug)]
pub(super) struct Named<'a> {
    labels: &'a [String],
    totals: BTreeMap<&'a str, Total>,
}

impl<'a> Named<'a> {
    /// No counter yet. The first of `labels` that a series has is its instance; where
    /// there are none, nothing is kept.
    pub(super) fn by(labels: &'a [String]) -> Self {
        Self { labels, totals: BTreeMap::new() }
    }

    /// This and what one more series counted, in the order of labels.
    pub(super) fn add(&mut self, series: &'a Labels, tally: &Tally) {
        if let Some((_, name)) = gauge::instance(series, self.labels) {
            self.totals.entry(name).or_default().add(tally);
        }
    }
}

/// The events of each instance that has any sample of `total`; in the order of names.
pub(super) fn counts(bad: &Named<'_>, total: &Named<'_>, notices: &mut BTreeSet<Notice>) -> Vec<InstanceEvidence> {
    let here: BTreeMap<&str, &Total> =
        total.totals.iter().filter(|(_, total)| total.seen > 0).map(|(name, total)| (*name, total)).collect();
    if !is_within(here.keys().copied(), MAX_COUNTED, notices) {
        return Vec::new();
    }
    let nothing = Total::default();
    let one = |(name, total): (&str, &Total)| {
        let measure = events(bad.totals.get(name).unwrap_or(&nothing), total, notices)?;
        Some(InstanceEvidence { name: name.to_owned(), measure })
    };
    here.into_iter().filter_map(one).collect()
}

/// Bad events of all events; `None` where these are unknown.
pub(super) fn events(bad: &Total, total: &Total, notices: &mut BTreeSet<Notice>) -> Option<Measure> {
    let all = total.increase.filter(|all| all.is_finite())?;
    let of_them = bad.increase.unwrap_or(0.0);
    if of_them > all {
        notices.insert(Notice::BadAboveTotal);
    }
    Some(Measure::Counts { bad: of_them.min(all), total: all })
}

/// The value of each instance, `values` of one instance added up; in the order of names.
pub(super) fn values<'a>(
    values: &[(&'a Labels, f64)],
    labels: &[String],
    notices: &mut BTreeSet<Notice>,
) -> Vec<InstanceEvidence> {
    let mut sums: BTreeMap<&'a str, f64> = BTreeMap::new();
    for (series, value) in values {
        if let Some((_, name)) = gauge::instance(series, labels) {
            *sums.entry(name).or_default() += value;
        }
    }
    if !is_within(sums.keys().copied(), MAX_VALUED, notices) {
        return Vec::new();
    }
    let finite = sums.into_iter().filter(|(_, value)| value.is_finite());
    finite.map(|(name, value)| InstanceEvidence { name: name.to_owned(), measure: Measure::Value(value) }).collect()
}

/// Whether all of `names` are kept. Some of them would be a choice that nobody made.
fn is_within<'a>(names: impl ExactSizeIterator<Item = &'a str>, most: usize, notices: &mut BTreeSet<Notice>) -> bool {
    let short = |size: usize| u32::try_from(size).unwrap_or(u32::MAX);
    let instances = names.len();
    let longest = names.map(str::len).max().unwrap_or(0);
    if instances > most {
        notices.insert(Notice::TooManyInstances { instances: short(instances) });
    }
    if longest > MAX_NAME_BYTES {
        notices.insert(Notice::InstanceNameTooLong { bytes: short(longest) });
    }
    instances <= most && longest <= MAX_NAME_BYTES
}
